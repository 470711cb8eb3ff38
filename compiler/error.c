/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/error.h"

#include <stdarg.h>
#include <stdio.h>

int compile_error_set(struct compile_error *error, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);

	for (char *p = error->text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return r;
}
