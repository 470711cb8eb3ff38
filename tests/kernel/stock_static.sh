#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What can be said about the driver without running it.
. "$(dirname "$0")/common"
sources=$(tests/kernel/sources) || bail_out "no kernel source"
kernel=$(tests/kernel/stock) || bail_out "no stock kernel"
binding=$(find kmd -name '*.yaml')

# A quiet build: no line says warning or error.
builds_quietly()
{
	make --no-print-directory B="$dir/build" KDIR="$kernel/build" "$@" kmd >"$dir/build.log" 2>&1 || {
		tail -n 30 "$dir/build.log"
		return 1
	}
	! grep -E 'warning:|error:' "$dir/build.log"
}

checkpatch()
{
	"$sources/scripts/checkpatch.pl" --strict --no-tree --quiet --no-summary --terse --show-types \
		--ignore SPDX_LICENSE_TAG -f "$@" 2>&1
}

# Each rule on all files at once. A rule that needs what this version does not have says so and is no finding.
coccinelle()
{
	for rule in $(find "$sources/scripts/coccinelle" -name '*.cocci' | sort); do
		grep -q 'virtual report' "$rule" || continue
		spatch -D report --very-quiet --no-show-diff --cocci-file "$rule" \
			kmd/*.c kmd/sim/*.c 2>"$dir/spatch.err"
	done >"$dir/coccinelle"
	cat "$dir/coccinelle"
	! grep -q . "$dir/coccinelle"
}

# The example in the binding is a device tree that the binding accepts.
example_is_valid()
{
	name=$(basename "$1" .yaml)
	dt-extract-example "$1" >"$dir/$name.example.dts" &&
		cpp -nostdinc -undef -D__DTS__ -x assembler-with-cpp -I "$sources/include" \
			"$dir/$name.example.dts" -o "$dir/$name.dts" &&
		dtc -q -I dts -O dtb -o "$dir/$name.dtb" "$dir/$name.dts" &&
		dt-validate -s kmd/dt "$dir/$name.dtb"
}
says_nothing() { "$@" >"$dir/said" 2>&1 || { cat "$dir/said"; return 1; }; cat "$dir/said"; ! grep -q . "$dir/said"; }

ok "the modules build with W=1, and gcc has nothing to say" builds_quietly W=1
rm -rf "$dir/build"
ok "sparse has nothing to say" builds_quietly C=2 CF=-D__CHECK_ENDIAN__
rm -rf "$dir/build"
# shellcheck disable=SC2046
ok "checkpatch --strict has nothing to say" checkpatch $(find kmd uapi -name '*.[ch]')
ok "coccinelle has nothing to say" coccinelle
ok "there is a device-tree binding" [ -n "$binding" ]
for file in $binding; do
	ok "$(basename "$file") is YAML as the kernel likes it" yamllint -s -d \
		'{extends: relaxed, rules: {line-length: {max: 110}, document-start: {present: true}}}' "$file"
	ok "$(basename "$file") is a schema" says_nothing dt-doc-validate -u kmd/dt "$file"
	ok "$(basename "$file") accepts its own example" says_nothing example_is_valid "$file"
done
done_testing
