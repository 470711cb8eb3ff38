# The kernel modules, included by the Makefile. The kernel's own build system makes them, from a farm of
# symbolic links, so that sources stay clean and its messages still name files one can edit.
# Kbuild's switches pass through: make kmd KDIR=... W=1 C=2 ARCH=arm64
#
# Built for the running kernel if its headers are there, otherwise for the newest that has accel devices.
accel-kdir = $(lastword $(sort $(foreach d,$(wildcard /lib/modules/*/build),$(shell grep -qs '^CONFIG_DRM_ACCEL=y' $d/.config && echo $d))))
KDIR    ?= $(or $(wildcard /lib/modules/$(shell uname -r)/build),$(accel-kdir))
kmd-src := /usr/src/zhouyi-$(version)
kmd-files = $(filter-out %.mk,$(shell find kmd -type f)) $(wildcard npu/*.[ch]) uapi/drm/zhouyi_accel.h

kmd: kmd-farm
	@test -d '$(KDIR)' || { scripts/setup kmd && exec $(MAKE) --no-print-directory $@; }
	+$(MAKE) -C $(KDIR) M=$(abspath $(B))/kmd CROSS_COMPILE=$(CROSS_COMPILE) modules
kmd-farm:
	@mkdir -p $(B)/kmd/uapi/drm $(B)/kmd/sim/npu
	@find $(B)/kmd -xtype l -delete
	@cp -rsf $(CURDIR)/kmd/. $(B)/kmd
	@cp -sf $(CURDIR)/npu/*.[ch] $(B)/kmd/sim/npu
	@cp -sf $(CURDIR)/uapi/drm/zhouyi_accel.h $(B)/kmd/uapi/drm
# Sources for DKMS, which builds the modules again for each kernel.
kmd-install:
	@for f in $(kmd-files); do \
		case $$f in kmd/*) to=$${f#kmd/} ;; npu/*) to=sim/$$f ;; *) to=$$f ;; esac; \
		install -vDm644 $$f $(DESTDIR)$(kmd-src)/$$to || exit; \
	done
	@sed 's/@version@/$(version)/' kmd/dkms.conf.in >$(DESTDIR)$(kmd-src)/dkms.conf
	@rm $(DESTDIR)$(kmd-src)/dkms.conf.in
	install -Dm644 uapi/drm/zhouyi_accel.h $(DESTDIR)$(prefix)/include/drm/zhouyi_accel.h
kmd-uninstall:	; rm -rf $(DESTDIR)$(kmd-src) $(DESTDIR)$(prefix)/include/drm/zhouyi_accel.h
.PHONY: kmd kmd-farm kmd-install kmd-uninstall
