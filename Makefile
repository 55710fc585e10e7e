# SPDX-License-Identifier: GPL-2.0-only
# The targets are listed by `make help`. Kbuild says what the modules are made of.

KDIR ?= /lib/modules/$(shell uname -r)/build
O := build
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

CFLAGS ?= -O2 -g
XPV_CFLAGS := -std=gnu11 -Wall -Wextra -Werror -Iinclude -Iring/os/user
SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
THREADS := -O1 -g -fsanitize=thread -Wno-tsan

ring := $(filter-out ring/module.c,$(wildcard ring/*.c))
headers := $(wildcard include/xpv/*.h ring/os/user/*.h tests/fake/*.h tests/unit/*.h)
units := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/test_*.c))
# TSan finds what is not ordered; only the plain build is fast enough to lose a wake-up.
stress := $(O)/stress/ring_spsc $(O)/stress/ring_spsc-tsan

.PHONY: all help modules install user unit stress rogue lint demo check check-long bench clean

all: modules user

help:
	@echo 'make modules [KDIR=...]  the kernel modules, for the running or the given kernel'
	@echo 'make install [KDIR=...]  install them, and keep the in-tree drivers from loading'
	@echo 'make user                libxpvring.a'
	@echo 'make demo [GUEST=pv|pvh|hvm] [FRONT=xpv|linux] [BACK=xpv|linux|qdisk]'
	@echo '                         fio and iperf3 in a Xen guest under QEMU (root; installs what it needs)'
	@echo 'make check               every test (root)'
	@echo 'make check-long          the lab in depth, and with an HVM guest (root)'
	@echo 'make bench [BASE=F.json] cost of each operation next to the in-tree drivers (root)'
	@echo 'make unit stress lint    the tests that need neither root nor Xen'
	@echo 'make rogue               the lying peers that make check plays against the drivers'
	@echo 'V=1 shows the commands.'

modules:
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR) modules

install: modules
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR) modules_install
	$(Q)install -D -m 644 xpv-blacklist.conf $(DESTDIR)/etc/modprobe.d/xpv-blacklist.conf

user: $(O)/libxpvring.a

$(O)/libxpvring.a: $(patsubst ring/%.c,$(O)/ring/%.o,$(ring))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/ring/%.o: ring/%.c $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) $(CFLAGS) -c $< -o $@

$(O)/unit/%: tests/unit/%.c tests/fake/grant_os.c $(ring) $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) -Itests/fake $(SANITIZE) \
		$< tests/fake/grant_os.c $(ring) -Wl,--wrap=calloc -lcmocka -o $@

$(O)/stress/%: tests/stress/%.c ring/ring.c $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) -O2 $< ring/ring.c -pthread -o $@

$(O)/stress/%-tsan: tests/stress/%.c ring/ring.c $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) $(THREADS) $< ring/ring.c -pthread -o $@

# Static: they run in the lab's guest and dom0, whatever libraries are there.
rogue := tests/rogue/rogue.c tests/rogue/script.c tests/rogue/fields.c
$(O)/rogue/rogue-%: tests/rogue/%.c $(rogue) tests/rogue/rogue.h $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) -static $(CFLAGS) $< $(rogue) \
		-lxenstore -lxengnttab -lxenevtchn -lxentoollog -lxentoolcore -pthread -o $@

rogue: $(O)/rogue/rogue-front $(O)/rogue/rogue-back

unit: $(units)
	$(Q)tests/run-units.sh $^

stress: $(stress)
	$(Q)$(O)/stress/ring_spsc 3000 && $(O)/stress/ring_spsc-tsan

lint:
	$(Q)tests/lint.sh

demo:
	$(Q)tests/lab/demo.sh

check:
	$(Q)tests/check.sh

check-long:
	$(Q)tests/check.sh long

bench:
	$(Q)tests/bench/bench.sh

clean:
	$(Q)rm -rf $(O)
	$(Q)find . -path ./.git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
		-o -name '.*.cmd' -o -name '.*.d' -o -name Module.symvers -o -name modules.order \) -exec rm -f {} +
