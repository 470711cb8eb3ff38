# Everything that checks, measures or shows; the product's own rules are in the Makefile.
tests := $(units) $(wildcard tests/e2e/*.sh) $(properties) $(B)/check-abi $(B)/check-npu

# The two commands of the README: set up, then do it.
demo check: %: ; @scripts/setup $@ && $(MAKE) --no-print-directory $(jobs) $@-run
demo-run: all		; @B=$(B) scripts/demo
check-run: all $(units) $(helpers) $(properties) $(examples) $(B)/check-abi $(B)/check-npu
	@B=$(B) SAN=$(SAN) tests/run $(tests)
check-asan:		; @scripts/setup check && $(MAKE) --no-print-directory $(jobs) B=$(B)-asan SAN=address,undefined check-run
# Criterion does not start under ThreadSanitizer, and races live in the running daemon anyway.
check-tsan:		; @scripts/setup check && $(MAKE) --no-print-directory $(jobs) B=$(B)-tsan SAN=thread check-e2e
check-units: all $(units)
	@B=$(B) SAN=$(SAN) tests/run $(units)
check-e2e: all $(helpers) $(examples)
	@B=$(B) SAN=$(SAN) tests/run $(wildcard tests/e2e/*.sh)
%.run: %		; B=$(B) $<

# The library exports what its headers declare, and nothing else.
$(B)/check-abi: $(so) $(wildcard client/include/*.h) tests/check.mk
	@nm -D --defined-only $< | sed -n 's/.* \(zhouyi_[a-z0-9_]*\)@.*/\1/p' | sort -u >$(B)/abi
	@printf '%s\n' '#!/bin/sh' 'echo TAP version 13; echo 1..1' \
		'grep -ho "zhouyi_[a-z0-9_]*(" client/include/*.h | tr -d "(" | sort -u | diff $(B)/abi - >&2 || printf "not "' \
		'echo "ok 1 - the library exports what its headers declare"' >$@; chmod +x $@
# The software NPU is freestanding and has no float: general registers suffice and only mem* is wanted.
$(B)/check-npu: $(wildcard npu/*.[ch]) tests/check.mk
	@mkdir -p $(B)
	@printf '%s\n' '#!/bin/sh' 'echo TAP version 13; echo 1..1' \
		'for f in npu/*.c; do $(CC) -std=c11 -I. -O2 -ffreestanding -mgeneral-regs-only -Wall -Wextra -Werror -c -o $@.o $$f && nm -u $@.o; done 2>&1 |' \
		'	grep -vwE "mem(cpy|set|move|cmp)|npu_[a-z0-9_]*|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_" | grep . >&2 && printf "not "' \
		'echo "ok 1 - the software NPU is freestanding and free of float"' >$@; chmod +x $@

# The driver, in guests that boot Debian's kernel and one that looks for mistakes; a guest has one core, so two at a time.
# Programs for the guests are static.
check-kernel check-kernel-stock check-kernel-kasan:
	@scripts/setup kernel && $(MAKE) --no-print-directory $(jobs) $@-run
check-kernel-run: check-kernel-stock-run
	@$(MAKE) --no-print-directory check-kernel-kasan-run
check-kernel-stock-run check-kernel-kasan-run: check-kernel-%-run: all guest-programs $(B)/tests/e2e/clients $(B)/tests/kernel/backend
	@B=$(B) TEST_SECONDS=3600 JOBS=2 tests/run $(call longest_first,$(wildcard tests/kernel/$*_*.sh))
	@$(if $(filter kasan,$*),B=$(B) tests/run tests/kernel/coverage.sh)
longest_first = $(filter %_fuzz.sh %_uapi.sh,$1) $(filter-out %_fuzz.sh %_uapi.sh,$1)
guest_parts := $(patsubst %.c,$(B)/%.o,$(addprefix tests/kernel/,chain.c harness.c device.c))
guest_programs := $(addprefix $(B)/tests/kernel/,uapi life fuzz nth)
guest-programs: $(guest_programs)
$(B)/tests/kernel/%.o: private cflags += -I/usr/include/libdrm
$(B)/tests/kernel/fuzz: $(B)/tests/kernel/fuzz.o $(guest_parts)
$(B)/tests/kernel/nth: $(B)/tests/kernel/nth.o $(guest_parts)
$(B)/tests/kernel/life: $(B)/tests/kernel/life.o $(guest_parts)
$(B)/tests/kernel/uapi: $(patsubst %.c,$(B)/%.o,$(wildcard tests/kernel/uapi*.c)) $(guest_parts)
# The daemon's part brings its libraries.
$(B)/tests/kernel/backend: $(B)/tests/kernel/backend.o $(guest_parts) $(daemon)
	$(call say,LINK,$@)$(CC) $(cflags) $(LDFLAGS) -o $@ $^ $(call libs_of,libevent_core libevent_pthreads libmd libdrm) -lm
$(guest_programs):
	$(call say,LINK,$@)$(CC) $(cflags) $(LDFLAGS) -static -o $@ $^

bench: all $(helpers)	; @B=$(B) tests/bench/run
fuzz:			; @scripts/setup fuzz && $(MAKE) --no-print-directory $(jobs) B=$(B)-fuzz CC=clang SAN=fuzzer-no-link,address,undefined fuzzers
fuzzers: $(fuzzers)
# What happens to requests when the device fails, two hundred times each; WRITE=1 keeps the table.
reliability: all $(helpers)	; @B=$(B) tests/reliability/run $(if $(WRITE),--write)
# The table of docs/scheduling.md, on a virtual clock; WRITE=1 keeps it.
scheduling: $(B)/zhouyi-cli	; @B=$(B) tests/scheduling/run $(if $(WRITE),--write)
# The tests of recovery notice when it is broken.
check-mutants:		; @scripts/setup mutants && B=$(B)-asan tests/reliability/check-mutants
# The scheduling policy: a million random schedules, and long ones with reservations.
check-policy:		; @scripts/setup check && $(MAKE) --no-print-directory $(jobs) $@-run
check-policy-run: $(properties)
	$< --processes $(shell nproc) --schedules 1000000 --long 100 $(if $(SEED),--seed $(SEED))
# Exactly one answer, whatever happens: every interleaving of a model of it.
check-model:		; @scripts/setup model && B=$(B) tests/model/run
# The packages, in a booted Debian 12 on an emulated machine; CASES=20 runs those that begin with 20.
check-system:		; @scripts/setup system && $(MAKE) --no-print-directory $(jobs) $@-run
check-system-run: $(B)/tests/e2e/inflight
	@B=$(B) tests/system/run $(CASES)
check-fuzz: fuzz	; @B=$(B)-fuzz tests/fuzz/run $(FUZZ_SECONDS)
coverage:		; @scripts/setup coverage && $(MAKE) --no-print-directory B=$(B)-cov COV=1 CFLAGS='-Og -g' check-run && gcovr --object-directory $(B)-cov
.PHONY: demo check check-kernel check-kernel-stock check-kernel-kasan guest-programs demo-run check-run check-asan check-tsan check-units check-system check-system-run check-e2e bench fuzz fuzzers check-fuzz check-model check-policy check-policy-run check-mutants reliability scheduling coverage
