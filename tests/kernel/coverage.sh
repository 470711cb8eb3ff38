#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How much of the driver the guests with the KASAN kernel have executed, in lines. Runs after them.
. "$(dirname "$0")/common"
least=85
gcno=$B/kernel/kasan/kmd
mkdir "$dir/sum"

# What each guest handed back, added up.
add_up()
{
	for tar in "$B"/kernel/kasan_*/*/files.tar; do
		rm -rf "$dir/one"
		mkdir "$dir/one"
		tar -xf "$tar" -C "$dir/one" 2>/dev/null
		ls "$dir/one"/zhouyi_*.gcda >/dev/null 2>&1 || continue
		rm -f "$dir/one"/*.mod.gcda
		if ls "$dir/sum"/*.gcda >/dev/null 2>&1; then
			gcov-tool merge "$dir/sum" "$dir/one" -o "$dir/next" && rm -rf "$dir/sum" &&
				mv "$dir/next" "$dir/sum" || return 1
		else
			cp "$dir/one"/*.gcda "$dir/sum"
		fi
	done
	ls "$dir/sum"/*.gcda
}

count()
{
	cp "$gcno"/*.gcno "$dir/sum" && cd "$dir/sum" && gcov ./zhouyi_*.gcda >report 2>complaints
	cd "$root" || return 1
	set -- kmd/zhouyi_*.c
	awk -v least=$least -v files=$(($# - 1)) '
		/^File / { file = $2; gsub(/.*\/|\x27/, "", file) }
		/^Lines executed:/ && file ~ /^zhouyi_.*\.c$/ && file != "zhouyi_test.c" {
			split($2, part, /[:%]/)
			lines += $4; hit += part[2] * $4 / 100
			printf "# %-22s %6.1f %% of %4d lines\n", file, part[2], $4
			file = ""
			seen++
		}
		END {
			if (seen != files) { print "# " seen + 0 " of " files " files are known"; exit 1 }
			printf "# %-22s %6.1f %% of %4d lines\n", "the driver", 100 * hit / lines, lines
			exit 100 * hit / lines < least
		}' "$dir/sum/report"
}

ok "the guests have handed back what they executed" add_up
ok "they have executed at least $least % of the driver's lines" count
sed -n '/^#/p' "$dir/out"
done_testing
