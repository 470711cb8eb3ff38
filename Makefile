# zhouyid: one Makefile, no recursion but into itself. Everything built lands in $(B).
version := 0.1.0
abi     := 1
B       ?= build
-include config.mk
prefix  ?= /usr/local
libdir  ?= $(prefix)/lib
sysconfdir ?= /etc
unitdir ?= $(prefix)/lib/systemd/system
udevdir ?= $(prefix)/lib/udev
# Programs find the library beside them, or two directories above; packages need no such help.
rpath   ?= -Wl,-rpath,'$$ORIGIN:$$ORIGIN/../..:$$ORIGIN/../../..'
CC       = $(CROSS_COMPILE)gcc
CFLAGS  ?= -O2 -g
jobs    := -j$(shell nproc)
# A line for each file made; `make V=1` shows the commands.
say      = $(if $V,,@echo "  $1	$2";)

# pkg-config runs once, and not before something is compiled: on a fresh machine it is not there yet.
once     = $(eval $1 := $2)$($1)
pkgs    := libevent_core libevent_pthreads libprotobuf-c jansson libmd libdrm libpng libjpeg
pc       = $(call once,pc,$(shell $(CROSS_COMPILE)pkg-config --cflags $(pkgs)))
libs_of  = $(shell $(CROSS_COMPILE)pkg-config --libs $1)
cflags   = -std=gnu11 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-fPIC -fvisibility=hidden -pthread -I. -I$(B) -Iclient/include -D_GNU_SOURCE \
	-DZHOUYI_VERSION='"$(version)"' $(pc) $(CPPFLAGS) $(CFLAGS) $(if $(COV),--coverage) \
	$(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer)

# A source file belongs to the room of its directory; a program is a main.o on top of its rooms.
objects  = $(patsubst %.c,$(B)/%.o,$(wildcard $(addsuffix /*.c,$1)))
pb      := $(B)/proto/zhouyi.pb-c
npu     := $(B)/libnpu.a
loadable := $(B)/libloadable.a $(npu)
policy  := $(B)/libpolicy.a
simulate := $(B)/libsimulate.a $(policy) $(B)/libproto.a
compiler := $(B)/libcompiler.a $(loadable)
daemon  := $(B)/libzhouyid.a $(B)/libproto.a $(policy) $(loadable)
so      := $(B)/libzhouyi-client.so
client  := $(so:.so=.a)
cli     := $(B)/libcli.a $(so) $(simulate) $(loadable)
units   := $(patsubst %.c,$(B)/%,$(wildcard tests/unit/*/test_*.c))
unit     = $(filter $(B)/tests/unit/$1/test_%,$(units))
fuzzers := $(basename $(filter-out %_seeds.o,$(call objects,tests/fuzz)))
helpers := $(basename $(call objects,tests/e2e tests/bench tests/reliability tests/realtime))
# Those that look at the daemon from the inside.
inside := $(B)/tests/bench/metrics
properties := $(B)/tests/policy/properties
examples := $(basename $(call objects,client/examples))
programs := $(B)/zhouyid $(B)/zhouyi-cli $(B)/zhouyi-cc

# mode:file:destination. Both install and uninstall read this list. A conf file that was changed stays.
files := 755:$(B)/zhouyid:$(prefix)/sbin/zhouyid 755:$(B)/zhouyi-cli:$(prefix)/bin/zhouyi-cli \
	755:$(B)/zhouyi-cc:$(prefix)/bin/zhouyi-cc \
	644:$(so).$(abi):$(libdir)/libzhouyi-client.so.$(abi) 644:$(client):$(libdir)/libzhouyi-client.a \
	644:client/include/zhouyi-client.h:$(prefix)/include/zhouyi-client.h \
	644:client/include/zhouyi-observe.h:$(prefix)/include/zhouyi-observe.h \
	644:$(B)/client/zhouyi-client.pc:$(libdir)/pkgconfig/zhouyi-client.pc \
	644:client/cli/completion.bash:$(prefix)/share/bash-completion/completions/zhouyi-cli \
	644:docs/zhouyid.8:$(prefix)/share/man/man8/zhouyid.8 \
	644:docs/zhouyid.json.5:$(prefix)/share/man/man5/zhouyid.json.5 644:docs/zhouyi-cli.1:$(prefix)/share/man/man1/zhouyi-cli.1 \
	644:docs/zhouyi-cc.1:$(prefix)/share/man/man1/zhouyi-cc.1 \
	conf:configs/zhouyid.json:$(sysconfdir)/zhouyid/zhouyid.json \
	644:$(B)/systemd/zhouyid.service:$(unitdir)/zhouyid.service 644:systemd/zhouyid.socket:$(unitdir)/zhouyid.socket \
	644:systemd/zhouyid-metrics.socket:$(unitdir)/zhouyid-metrics.socket \
	644:systemd/zhouyid.sysusers:$(prefix)/lib/sysusers.d/zhouyid.conf \
	644:systemd/zhouyid.tmpfiles:$(prefix)/lib/tmpfiles.d/zhouyid.conf \
	644:systemd/60-zhouyi.rules:$(udevdir)/rules.d/60-zhouyi.rules \
	644:systemd/zhouyid.catalog:$(prefix)/lib/systemd/catalog/zhouyid.catalog
directories := $(sysconfdir)/zhouyid/zhouyid.json.d $(sysconfdir)/zhouyid
link := $(libdir)/libzhouyi-client.so

all: $(filter $(B)/%,$(subst :, ,$(files))) $(so)
$(B)/zhouyid: $(B)/daemon/main.o $(daemon)
$(B)/zhouyi-cli: $(B)/client/cli/main.o $(cli)
$(B)/zhouyi-cc: $(B)/compiler/main.o $(compiler)
$(npu): $(call objects,npu)
$(B)/libloadable.a: $(call objects,loadable)
$(policy): $(call objects,policy)
$(B)/libsimulate.a: $(call objects,simulate)
$(B)/libcompiler.a: $(filter-out %/main.o,$(call objects,compiler))
$(B)/libcli.a: $(filter-out %/main.o,$(call objects,client/cli))
$(B)/libproto.a: $(call objects,proto) $(pb).o
$(B)/libzhouyid.a: $(filter-out %/main.o,$(call objects,daemon))
$(client): $(call objects,client proto) $(pb).o
# A unit test links its room, those below it and the helpers beside it.
define unit-room
$(call unit,$1): %: %.o $$(filter-out $(B)/tests/unit/$1/test_%,$$(call objects,tests/unit/$1)) $2
endef
$(foreach r,npu loadable policy simulate compiler daemon client cli proto,$(eval $(call unit-room,$r,$(if $(filter proto,$r),$(B)/libproto.a,$($r)))))
$(fuzzers): %: %.o $(B)/libcompiler.a $(B)/libsimulate.a $(daemon)
$(properties): $(call objects,tests/policy) $(policy)
$(filter-out $(inside),$(helpers)) $(examples): %: %.o $(so) $(client) $(B)/libproto.a
$(inside): %: %.o $(daemon)
$(B)/tests/bench/policy: $(policy)

$(B)/zhouyid $(units) $(fuzzers) $(inside): libs = $(call libs_of,libevent_core libevent_pthreads libprotobuf-c jansson libmd libdrm) -lm
$(B)/zhouyi-cli: libs = $(call libs_of,jansson libpng libjpeg) -lm
$(B)/zhouyi-cc: libs = -lm
$(units): libs += $(call libs_of,libpng libjpeg) -lcriterion
$(filter-out $(inside),$(helpers)): libs = $(call libs_of,libprotobuf-c) -lm
$(fuzzers): libs += -fsanitize=fuzzer
$(programs) $(units) $(fuzzers) $(helpers) $(examples) $(properties):
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) $(cflags) $(LDFLAGS) $(rpath) -o $@ $(filter %.o %.a %.so,$^) $(libs)
$(so).$(abi): client/zhouyi-client.map $(client)
	$(call say,LINK,$@)$(CC) $(cflags) $(LDFLAGS) -shared -Wl,-soname,$(@F),--version-script=$<,-z,defs \
		-o $@ -Wl,--whole-archive $(client) -Wl,--no-whole-archive $(call libs_of,libprotobuf-c)
$(so): $(so).$(abi)	; @ln -sf $(<F) $@
%.a:			; $(call say,AR,$@)rm -f $@ && $(CROSS_COMPILE)ar rcs $@ $^
# The operators are loops over bytes: let the compiler vectorize them.
$(B)/npu/%.o: cflags += -O3 -ffreestanding
$(B)/%.o: %.c $(B)/flags | $(pb).h
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(cflags) -MMD -MP -c -o $@ $<
$(pb).o: $(pb).c	; $(call say,CC,$@)$(CC) $(cflags) -c -o $@ $<
$(pb).c $(pb).h &: proto/zhouyi.proto | $(B)/flags
	$(call say,GEN,$(pb).c)protoc-c --proto_path=$(<D) --c_out=$(@D) $<
$(B)/%: %.in $(B)/flags
	$(call say,GEN,$@)sed 's|@prefix@|$(prefix)|; s|@libdir@|$(libdir)|; s|@version@|$(version)|' $< >$@
$(B)/flags: FORCE	; @mkdir -p $(B)/proto $(B)/client $(B)/systemd
	@echo '$(CC) $(cflags) $(rpath) $(prefix) $(libdir)' | cmp -s - $@ || echo '$(CC) $(cflags) $(rpath) $(prefix) $(libdir)' >$@

include tests/check.mk
include kmd/kmd.mk
install: all
	@for f in $(files); do IFS=:; set -- $$f; case $$1 in \
	conf) [ -e $(DESTDIR)$$3 ] || install -vDm644 $$2 $(DESTDIR)$$3 ;; *) install -vDm$$1 $$2 $(DESTDIR)$$3 ;; esac || exit; done
	install -d $(directories:%=$(DESTDIR)%)
	ln -sf $(notdir $(link)).$(abi) $(DESTDIR)$(link)
uninstall:
	@for f in $(files); do IFS=:; set -- $$f; case $$1 in \
	conf) cmp -s $$2 $(DESTDIR)$$3 && rm -v $(DESTDIR)$$3 || : ;; *) rm -vf $(DESTDIR)$$3 ;; esac; done
	rm -f $(DESTDIR)$(link)
	-rmdir --ignore-fail-on-non-empty $(directories:%=$(DESTDIR)%)
# Packages for Debian, in $(B)/deb, from a copy of the tree; lintian must have nothing to say.
deb:			; @scripts/setup deb && B=$(B) scripts/deb
clean:			; rm -rf $(B) $(B)-*
.PHONY: all install uninstall deb clean FORCE
.SECONDARY:
-include $(shell find $(B) -name '*.d' 2>/dev/null)
