# SPDX-License-Identifier: GPL-2.0-only
# The targets are listed by `make help`. Kbuild says what the modules are made of.

KDIR ?= /lib/modules/$(shell uname -r)/build
O := build
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

CFLAGS ?= -O2 -g
# Seconds, of each search that could go on for ever.
DURATION ?= 60
XPV_CFLAGS := -std=gnu11 -Wall -Wextra -Werror -Iinclude -Iring/os/user
DAEMON_CFLAGS := -D_GNU_SOURCE -Iuserspace-backend
SANITIZE := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all
THREADS := -O1 -g -fsanitize=thread -Wno-tsan

ring := $(filter-out ring/module.c,$(wildcard ring/*.c))
headers := $(wildcard include/xpv/*.h ring/os/user/*.h tests/fake/*.h tests/unit/*.h userspace-backend/*.h)
units := $(patsubst tests/unit/%.c,$(O)/unit/%,$(wildcard tests/unit/test_*.c))
daemon_units := vdev config control blkctl block_xpv xentop notify arena kept handshake blkd blkd_store blkd_killed blkd_many blkd_nbd blkd_open blkd_access blkd_xenbus blkd_leave
# The daemon without Xen and without its main loop: as tests drive it, with what the ring needs.
blkd_core := $(addprefix userspace-backend/, arena.c disk.c errand.c journal.c kept.c loop.c nbd.c queue.c request.c \
	spare.c store.c store_512.c store_fault.c store_file.c store_nbd.c store_null.c worker.c) $(addprefix ring/, blkif.c cache.c check.c copy.c rate.c ring.c)
loop := tests/fake/loop.c tests/fake/front.c
alone := tests/fake/alone.c $(loop)
# Static: their versions would otherwise be those of the machine that builds.
URING := -l:liburing.a
INIH := -l:libinih.a
daemon_sources := $(wildcard userspace-backend/*.c)
blkctl := userspace-backend/blkctl.c userspace-backend/blkctl_show.c
blkd := $(filter-out $(blkctl),$(daemon_sources))
# TSan finds what is not ordered; only the plain build is fast enough to lose a wake-up.
stress := $(O)/stress/ring_spsc $(O)/stress/ring_spsc-tsan $(O)/stress/blkd-tsan $(O)/stress/kept-tsan $(O)/stress/blkd_access-tsan

.PHONY: all help modules install uninstall install-blkd user unit stress model fuzz fuzz-replay rogue check-rogue check-rogue-weak soak lab-debug-kernel xdp lint demo check check-long bench bench-backends bench-blkd clean

all: modules user

help:
	@echo 'make modules [KDIR=...]  the kernel modules, for the running or the given kernel'
	@echo 'make install [KDIR=...]  install them, and keep the in-tree drivers from loading'
	@echo 'make uninstall           take both away, for all kernels'
	@echo 'make user                libxpvring.a, xpv-blkd and xpv-blkctl'
	@echo 'make install-blkd        install the userspace block backend, its tool, script and service'
	@echo 'make demo [GUEST=pv|pvh|hvm] [FRONT=xpv|linux] [BACK=xpv|linux|qdisk|blkd]'
	@echo '                         fio and iperf3 in a Xen guest under QEMU (root; installs what it needs)'
	@echo 'make check               every test that fits into 25 minutes (root)'
	@echo 'make check-long          the lab in depth, and with an HVM guest (root)'
	@echo 'make check-rogue [DURATION=60] [SEED=N]'
	@echo '                         lying peers: by script, then at random, so many seconds each (root)'
	@echo 'make check-rogue-weak    that these are noticed where a check is missing (root)'
	@echo 'make soak [MINUTES=30]   all that can happen to a guest, over and over, while it verifies (root)'
	@echo 'make check DEBUG_KERNEL=1  the lab on a kernel with KASAN, lockdep and other checks (root)'
	@echo 'make lab-debug-kernel    builds that kernel: half an hour, once (root)'
	@echo 'make bench [BASE=F.json] cost of each operation next to the in-tree drivers (root)'
	@echo 'make bench-backends      cost of a request through each block backend (root)'
	@echo 'make bench-blkd          the userspace backend on this machine, without Xen, next to fio'
	@echo 'make unit stress model lint'
	@echo '                         the tests that need neither root nor Xen, but the libraries they use'
	@echo 'make fuzz [DURATION=60]  look for input that harms, so many seconds a target (clang)'
	@echo 'make fuzz-replay         what was found to lead somewhere, again'
	@echo 'make rogue               the lying peers that make check plays against the drivers'
	@echo 'make xdp                 the XDP programs that it attaches to them'
	@echo 'make clean               what was built here'
	@echo 'make without a target builds modules and user. V=1 shows the commands.'

modules:
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR) modules

install: modules
	$(Q)$(MAKE) -C $(KDIR) M=$(CURDIR) INSTALL_MOD_DIR=updates $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	$(Q)install -D -m 644 xpv-blacklist.conf $(DESTDIR)/etc/modprobe.d/xpv-blacklist.conf

uninstall:
	$(Q)rm -f $(DESTDIR)/etc/modprobe.d/xpv-blacklist.conf $(DESTDIR)/lib/modules/*/updates/xpv-*.ko*

# Settings that somebody made stay.
install-blkd: $(O)/xpv-blkd $(O)/xpv-blkctl
	$(Q)install -D -t $(DESTDIR)/usr/sbin $^
	$(Q)install -D -t $(DESTDIR)/etc/xen/scripts userspace-backend/block-xpv
	$(Q)install -D -m 644 -t $(DESTDIR)/usr/lib/systemd/system userspace-backend/xpv-blkd.service
	$(Q)install -D -m 644 -t $(DESTDIR)/usr/share/man/man8 $(wildcard userspace-backend/*.8)
	$(Q)[ -e $(DESTDIR)/etc/xpv-blkd.conf ] || install -D -m 644 -t $(DESTDIR)/etc userspace-backend/xpv-blkd.conf

user: $(O)/libxpvring.a $(O)/xpv-blkd $(O)/xpv-blkctl

$(O)/libxpvring.a: $(patsubst ring/%.c,$(O)/ring/%.o,$(ring))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(O)/ring/%.o: ring/%.c $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) $(CFLAGS) -c $< -o $@

$(O)/userspace-backend/%.o: userspace-backend/%.c $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) $(DAEMON_CFLAGS) $(CFLAGS) -c $< -o $@

$(O)/xpv-blkd: $(blkd:%.c=$(O)/%.o) $(O)/libxpvring.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(URING) $(INIH) -lnbd -ljson-c -lxenstore -lxengnttab -lxenevtchn -lxentoollog -pthread -o $@

$(O)/xpv-blkctl: $(blkctl:%.c=$(O)/%.o)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -ljson-c -o $@

$(O)/unit/%: tests/unit/%.c tests/fake/grant_os.c $(ring) $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) -Itests/fake $(SANITIZE) \
		$< tests/fake/grant_os.c $(ring) -Wl,--wrap=calloc -lcmocka -o $@

# The kernel's own calls, on headers of ours.
$(O)/unit/test_grant_os: tests/unit/test_grant_os.c ring/os/kernel/grant_os.c ring/grant.c ring/copy.c $(headers) $(wildcard tests/fake/kernel/*.h tests/fake/kernel/*/*.h ring/os/kernel/*.h)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) -Itests/fake/kernel $(XPV_CFLAGS) $(SANITIZE) $(filter %.c,$^) -lcmocka -o $@

# Those of the daemon, each with what it is made of.
$(O)/unit/test_vdev: of := userspace-backend/vdev.c
$(O)/unit/test_config: of := userspace-backend/config.c $(INIH)
$(O)/unit/test_control: of := $(addprefix userspace-backend/,serve.c control.c metrics.c vdev.c) -ljson-c
$(O)/unit/test_blkctl: of := userspace-backend/blkctl_show.c -ljson-c

$(O)/unit/test_xentop: of := userspace-backend/xentop.c
$(O)/unit/test_notify: of := userspace-backend/notify.c
$(O)/unit/test_arena: of := userspace-backend/arena.c
$(O)/unit/test_blkd_store: of := $(addprefix userspace-backend/,store_512.c store_fault.c store_file.c) $(URING)
$(addprefix $(O)/unit/test_, kept blkd blkd_killed blkd_many blkd_nbd blkd_open): of := $(blkd_core) $(alone) tests/fake/load.c $(URING) -lnbd
$(addprefix $(O)/, unit/test_blkd_access unit/test_blkd_xenbus unit/test_blkd_leave unit/test_handshake stress/blkd_access-tsan): of := $(blkd_core) \
	$(addprefix userspace-backend/,access.c adopt.c xenbus.c handshake.c node.c) \
	ring/state.c tests/fake/fake_store.c tests/fake/toolstack.c $(loop) $(URING) -lnbd
$(addprefix $(O)/, unit/test_blkd_access stress/blkd_access-tsan): of += -Wl,--wrap=pthread_create
$(O)/stress/blkd-tsan $(O)/stress/kept-tsan: of := $(blkd_core) $(alone) tests/fake/load.c $(URING) -lnbd

$(patsubst %,$(O)/unit/test_%,$(daemon_units)): $(O)/unit/%: tests/unit/%.c $(daemon_sources) $(wildcard tests/fake/*.c) $(ring) $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) $(DAEMON_CFLAGS) -Itests/fake $(SANITIZE) \
		$< $(of) -pthread -lcmocka -o $@

$(O)/stress/%: tests/stress/%.c ring/ring.c $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) -O2 $< ring/ring.c -pthread -o $@

$(O)/stress/%-tsan: tests/stress/%.c ring/ring.c $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) $(THREADS) $< ring/ring.c -pthread -o $@

$(O)/model/ring: $(wildcard tests/model/*.[ch]) ring/ring.c $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) -Itests/model $(XPV_CFLAGS) -O2 $(filter %.c,$^) -o $@

# Fuzz targets, each with what it is made of: to look for input, to replay what was found, and to count lines.
fuzzers := blkif net_tx net_rx netctl state request handshake config vdev control
FUZZ_CC ?= clang
fuzz = $(addprefix $(O)/fuzz/,$(1) $(1)-replay $(1)-lines)
$(call fuzz,blkif): of := ring/blkif.c ring/check.c
$(call fuzz,net_tx) $(call fuzz,net_rx): of := ring/net.c ring/ring.c
$(call fuzz,netctl): of := $(addprefix ring/,netctl.c toeplitz.c ring.c)
$(call fuzz,state): of := ring/state.c
$(call fuzz,request): of := $(blkd_core) $(alone) $(URING) -lnbd
$(call fuzz,handshake): of := $(blkd_core) $(addprefix userspace-backend/,access.c adopt.c xenbus.c handshake.c node.c) \
	ring/state.c tests/fake/fake_store.c $(loop) $(URING) -lnbd
$(call fuzz,config): of := userspace-backend/config.c $(INIH)
$(call fuzz,vdev): of := userspace-backend/vdev.c
$(call fuzz,control): of := userspace-backend/control.c userspace-backend/vdev.c -ljson-c

FUZZ_CFLAGS := $(XPV_CFLAGS) $(DAEMON_CFLAGS) -Itests/fake
fuzz_sources := $(wildcard tests/fuzz/*.[ch]) $(daemon_sources) $(wildcard tests/fake/*.c) $(ring) $(headers)

$(fuzzers:%=$(O)/fuzz/%): $(O)/fuzz/%: $(fuzz_sources)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(FUZZ_CFLAGS) -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		tests/fuzz/$*.c $(of) -pthread -o $@

$(fuzzers:%=$(O)/fuzz/%-replay): $(O)/fuzz/%-replay: $(fuzz_sources)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(FUZZ_CFLAGS) $(SANITIZE) tests/fuzz/$*.c tests/fuzz/replay.c $(of) -pthread -o $@

$(fuzzers:%=$(O)/fuzz/%-lines): $(O)/fuzz/%-lines: $(fuzz_sources)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && rm -f $@-* && \
		$(CC) $(FUZZ_CFLAGS) -O0 -r -nostdlib tests/fuzz/$*.c tests/fuzz/replay.c -o $@-target.o && \
		$(CC) $(FUZZ_CFLAGS) -O0 --coverage $@-target.o $(of) -pthread -o $@

$(O)/bench/blkd: tests/bench/blkd.c $(daemon_sources) $(alone) $(ring) $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) $(DAEMON_CFLAGS) -Itests/fake $(CFLAGS) \
		$< $(blkd_core) $(alone) $(URING) -lnbd -pthread -o $@

# The daemon's threads, and the frontend's, on what they share.
$(O)/stress/blkd-tsan $(O)/stress/kept-tsan $(O)/stress/blkd_access-tsan: $(O)/stress/%-tsan: tests/unit/test_%.c $(daemon_sources) $(wildcard tests/fake/*.c) $(ring) $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) $(DAEMON_CFLAGS) -Itests/fake $(THREADS) \
		$< $(of) -pthread -lcmocka -o $@

# Static: they run in the lab's guest and dom0, whatever libraries are there.
rogue := tests/rogue/rogue.c tests/rogue/script.c tests/rogue/fields.c tests/rogue/random.c
$(O)/rogue/rogue-%: tests/rogue/%.c $(rogue) tests/rogue/rogue.h $(headers)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(XPV_CFLAGS) -static $(CFLAGS) $< $(rogue) \
		-lxenstore -lxengnttab -lxenevtchn -lxentoollog -lxentoolcore -pthread -o $@

rogue: $(O)/rogue/rogue-front $(O)/rogue/rogue-back

# Static as well.
$(O)/xdp/xdp: tests/xdp/xdp.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) -std=gnu11 -Wall -Wextra -Werror -static $(CFLAGS) $< -o $@

xdp: $(O)/xdp/xdp

unit: $(units)
	$(Q)tests/run-units.sh $^

stress: $(stress)
	$(Q)$(O)/stress/ring_spsc 3000 && $(O)/stress/ring_spsc-tsan && $(O)/stress/blkd-tsan && $(O)/stress/kept-tsan && $(O)/stress/blkd_access-tsan

model: $(O)/model/ring
	$(Q)tests/model/run.sh $<

fuzz:
	$(Q)tests/fuzz/run.sh $(DURATION) $(fuzzers)

fuzz-replay: $(fuzzers:%=$(O)/fuzz/%-replay)
	$(Q)tests/fuzz/run.sh replay $(fuzzers)

lint:
	$(Q)tests/lint.sh

demo:
	$(Q)tests/lab/demo.sh

check:
	$(Q)tests/check.sh

check-long:
	$(Q)tests/check.sh long

check-rogue:
	$(Q)tests/rogue/check.sh $(DURATION) $(SEED)

check-rogue-weak:
	$(Q)tests/rogue/weak.sh

soak:
	$(Q)tests/check.sh soak $(or $(MINUTES),30)

lab-debug-kernel:
	$(Q)tests/lab/debug-kernel.sh

bench:
	$(Q)tests/bench/bench.sh

bench-backends:
	$(Q)tests/bench/backends.sh

bench-blkd:
	$(Q)tests/bench/loopback.sh

clean:
	$(Q)rm -rf $(O)
	$(Q)find . -path ./.git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
		-o -name '.*.cmd' -o -name '.*.d' -o -name Module.symvers -o -name modules.order \) -exec rm -f {} +
