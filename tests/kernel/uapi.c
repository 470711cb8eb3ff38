/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tests of the driver's user-space interface: tests/kernel/uapi_*.c.
 *
 * usage: uapi [PATTERN]
 */
#include "tests/kernel/harness.h"

int main(int argc, char **argv)
{
	return test_main(argc, argv);
}
