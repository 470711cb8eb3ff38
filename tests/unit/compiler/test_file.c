/* SPDX-License-Identifier: Apache-2.0 */
#include "compiler/file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/zhouyi-file-XXXXXX";
static char path[64];

static void setup(void)
{
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/model.elf", folder);
}

static void teardown(void)
{
	chmod(folder, 0700);
	unlink(path);
	rmdir(folder);
}

TestSuite(file, .init = setup, .fini = teardown);

static int count_files(void)
{
	DIR *dir = opendir(folder);
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 2;
}

Test(file, what_is_written_is_read)
{
	static uint8_t data[200000];
	struct bytes got = {0};
	struct stat st;
	mode_t mask = umask(0027);

	memset(data, 7, sizeof(data));
	data[199999] = 9;
	cr_assert_eq(file_write(path, data, sizeof(data)), 0);
	cr_assert_eq(file_read(&got, path, 1 << 20), 0);
	cr_assert_eq(got.size, sizeof(data));
	cr_assert_eq(memcmp(got.data, data, sizeof(data)), 0);
	cr_assert_eq(count_files(), 1, "nothing else is left behind");
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0640, "the mask counts: %o", st.st_mode & 0777);
	umask(mask);
	bytes_finish(&got);
}

Test(file, a_failed_write_leaves_the_old_content)
{
	struct bytes got = {0};
	char missing[96];

	cr_assert_eq(file_write(path, "old", 3), 0);
	cr_assert_eq(file_write(path, "newer", 5), 0);
	snprintf(missing, sizeof(missing), "%s/none/model.elf", folder);
	cr_assert_eq(file_write(missing, "x", 1), -ENOENT);
	cr_assert_eq(file_write(folder, "x", 1), -EISDIR);
	cr_assert_eq(file_read(&got, path, 100), 0);
	cr_assert_eq(got.size, 5);
	cr_assert_eq(count_files(), 1);
	bytes_finish(&got);
}

Test(file, a_device_is_written_to_and_stays_one)
{
	struct stat st;

	cr_assert_eq(file_write("/dev/null", "x", 1), 0);
	cr_assert_eq(stat("/dev/null", &st), 0);
	cr_assert(S_ISCHR(st.st_mode));
}

Test(file, too_much_is_refused)
{
	struct bytes got = {0};

	cr_assert_eq(file_write(path, "12345", 5), 0);
	cr_assert_eq(file_read(&got, path, 4), -EFBIG);
	bytes_finish(&got);
	cr_assert_eq(file_read(&got, path, 5), 0);
	bytes_finish(&got);
	cr_assert_eq(file_read(&got, "/dev/zero", 1 << 20), -EFBIG);
	bytes_finish(&got);
	cr_assert_eq(file_read(&got, folder, 10), -EISDIR);
	bytes_finish(&got);
}

Test(file, a_full_disk_leaves_the_old_content_and_nothing_else)
{
	static const uint8_t data[5000];
	struct rlimit limit;
	struct bytes got = {0};
	int r;

	cr_assert_eq(file_write(path, "old", 3), 0);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 1000;
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	r = file_write(path, data, sizeof(data));
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	cr_assert_eq(r, -EFBIG, "%d", r);
	cr_assert_eq(count_files(), 1);
	cr_assert_eq(file_read(&got, path, 100), 0);
	cr_assert_eq(got.size, 3);
	bytes_finish(&got);
}
