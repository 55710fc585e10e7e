/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xdp INTERFACE WHAT [OTHER]: attaches an XDP program to INTERFACE, natively, says "attached" and stays.
 * The program is gone when it is killed. It looks at pings alone, and passes all else; WHAT is done to them:
 *
 *   pass       nothing
 *   room       it tries how much room there is around one, and passes it
 *   meta       the same, and metadata in front, which the in-tree netfront has no place for
 *   drop       nobody sees it
 *   tx         it is made an answer, and sent back
 *   redirect   likewise, by the interface OTHER
 *   xsk        likewise, by this program and an AF_XDP socket
 *
 * With "-frags" behind it, the program takes packets of several pages. It is assembled here, so
 * that nothing but the kernel is needed where it runs.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void fail(const char *what)
{
	fprintf(stderr, "xdp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int bpf(int cmd, union bpf_attr *attr, const char *what)
{
	long fd = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	if (fd < 0)
		fail(what);
	return (int)fd;
}

/* An assembler of a few words. Jumps go to the end of what looks at the packet: it is passed there. */

static struct bpf_insn code[128];
static unsigned int n;
static unsigned int to_pass[16], jumps;

static void emit(int op, int dst, int src, int off, int imm)
{
	code[n++] = (struct bpf_insn){ .code = (__u8)op, .dst_reg = (__u8)dst & 15,
				       .src_reg = (__u8)src & 15, .off = (__s16)off, .imm = imm };
}

static void mov(int dst, int src) { emit(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0); }
static void set(int dst, int imm) { emit(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm); }
static void alu(int op, int dst, int imm) { emit(BPF_ALU64 | op | BPF_K, dst, 0, 0, imm); }
static void load(int size, int dst, int src, int off) { emit(BPF_LDX | BPF_MEM | size, dst, src, off, 0); }
static void store(int size, int dst, int off, int src) { emit(BPF_STX | BPF_MEM | size, dst, src, off, 0); }
static void call(int helper) { emit(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
static void leave(int act) { set(0, act); emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

static void pass_if(int op, int dst, int src, int imm)
{
	to_pass[jumps++] = n;
	emit(BPF_JMP | op, dst, src, 0, imm);
}

#define PING	42	/* Ethernet, IP and ICMP headers */

/* The packet is at r2 if it is a ping's request, and passed otherwise. r6 is the context. */
static void find_ping(void)
{
	load(BPF_W, 2, 6, offsetof(struct xdp_md, data));
	load(BPF_W, 3, 6, offsetof(struct xdp_md, data_end));
	mov(4, 2);
	alu(BPF_ADD, 4, PING);
	pass_if(BPF_JGT | BPF_X, 4, 3, 0);
	load(BPF_H, 5, 2, 12);
	pass_if(BPF_JNE | BPF_K, 5, 0, 0x0008);
	load(BPF_B, 5, 2, 23);
	pass_if(BPF_JNE | BPF_K, 5, 0, 1);
	load(BPF_B, 5, 2, 34);
	pass_if(BPF_JNE | BPF_K, 5, 0, 8);
}

/* Where it came from is where it goes. */
static void make_answer(void)
{
	load(BPF_W, 0, 2, 0);
	load(BPF_H, 1, 2, 4);
	load(BPF_W, 5, 2, 6);
	load(BPF_H, 7, 2, 10);
	store(BPF_W, 2, 0, 5);
	store(BPF_H, 2, 4, 7);
	store(BPF_W, 2, 6, 0);
	store(BPF_H, 2, 10, 1);
	load(BPF_W, 0, 2, 26);
	load(BPF_W, 1, 2, 30);
	store(BPF_W, 2, 26, 1);
	store(BPF_W, 2, 30, 0);
	set(0, 0);
	store(BPF_B, 2, 34, 0);
	load(BPF_H, 0, 2, 36);
	alu(BPF_ADD, 0, 8);
	mov(1, 0);
	alu(BPF_RSH, 1, 16);
	alu(BPF_AND, 0, 0xffff);
	emit(BPF_ALU64 | BPF_ADD | BPF_X, 0, 1, 0, 0);
	store(BPF_H, 2, 36, 0);
}

/* The same in C. */
static void answer(uint8_t *p)
{
	uint8_t mac[6], ip[4];
	uint16_t sum;
	uint32_t more;

	memcpy(mac, p, 6);
	memmove(p, p + 6, 6);
	memcpy(p + 6, mac, 6);
	memcpy(ip, p + 26, 4);
	memmove(p + 26, p + 30, 4);
	memcpy(p + 30, ip, 4);
	p[34] = 0;
	memcpy(&sum, p + 36, 2);
	more = sum + 8u;
	sum = (uint16_t)(more + (more >> 16));
	memcpy(p + 36, &sum, 2);
}

/* Move an end of the packet there and back; a packet without that room is dropped. */
static void try_room(int helper, int by, bool back)
{
	mov(1, 6);
	set(2, by);
	call(helper);
	emit(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2, 0);
	leave(XDP_DROP);
	if (!back)
		return;
	mov(1, 6);
	set(2, -by);
	call(helper);
}

static void assemble(const char *what, int other, int map)
{
	mov(6, 1);
	find_ping();
	if (!strcmp(what, "drop")) {
		leave(XDP_DROP);
	} else if (!strcmp(what, "tx")) {
		make_answer();
		leave(XDP_TX);
	} else if (!strcmp(what, "redirect")) {
		make_answer();
		/* Or else a bridge would look for the one interface behind the other. */
		set(0, 0x0002);
		store(BPF_H, 2, 6, 0);
		set(1, other);
		set(2, 0);
		call(BPF_FUNC_redirect);
		emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	} else if (!strcmp(what, "xsk")) {
		emit(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map);
		emit(0, 0, 0, 0, 0);
		set(2, 0);
		set(3, 0);
		call(BPF_FUNC_redirect_map);
		emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	} else if (!strcmp(what, "room") || !strcmp(what, "meta")) {
		try_room(BPF_FUNC_xdp_adjust_head, -200, true);
		try_room(BPF_FUNC_xdp_adjust_tail, 100, true);
		if (!strcmp(what, "meta"))
			try_room(BPF_FUNC_xdp_adjust_meta, -8, false);
	} else if (strcmp(what, "pass")) {
		fprintf(stderr, "xdp: do what? %s\n", what);
		exit(1);
	}
	while (jumps--)
		code[to_pass[jumps]].off = (__s16)(n - to_pass[jumps] - 1);
	leave(XDP_PASS);
}

static int load_program(bool frags)
{
	static char log[65536];
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_XDP,
		.insns = (uintptr_t)code,
		.insn_cnt = n,
		.license = (uintptr_t)"GPL",
		.log_buf = (uintptr_t)log,
		.log_size = sizeof(log),
		.log_level = 1,
		.expected_attach_type = BPF_XDP,
		.prog_flags = frags ? BPF_F_XDP_HAS_FRAGS : 0,
	};
	long fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0) {
		fputs(log, stderr);
		fail("loading the program");
	}
	return (int)fd;
}

static void attach(int program, unsigned int interface)
{
	union bpf_attr attr = {
		.link_create.prog_fd = (__u32)program,
		.link_create.target_ifindex = interface,
		.link_create.attach_type = BPF_XDP,
		.link_create.flags = XDP_FLAGS_DRV_MODE,
	};

	bpf(BPF_LINK_CREATE, &attr, "attaching it");
	puts("attached");
	fflush(stdout);
}

/* AF_XDP: one socket, on queue 0. */

#define FRAMES	256u
#define FRAME	4096u

struct user_ring {
	uint32_t *producer, *consumer;
	void *slots;
};

static uint8_t *umem;
static struct user_ring fill, done, rx, tx;

static struct user_ring map_ring(int fd, const struct xdp_ring_offset *at, uint64_t page, size_t slot)
{
	uint8_t *mem = mmap(NULL, at->desc + FRAMES * slot, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_POPULATE, fd, (off_t)page);

	if (mem == MAP_FAILED)
		fail("mapping a ring");
	return (struct user_ring){ (uint32_t *)(void *)(mem + at->producer),
				   (uint32_t *)(void *)(mem + at->consumer), mem + at->desc };
}

static void set_option(int fd, int option, const void *value, size_t len)
{
	if (setsockopt(fd, SOL_XDP, option, value, (socklen_t)len))
		fail("an option of the socket");
}

static int open_socket(unsigned int interface)
{
	struct sockaddr_xdp addr = { .sxdp_family = AF_XDP, .sxdp_ifindex = interface,
				     .sxdp_flags = XDP_COPY };
	int fd = socket(AF_XDP, SOCK_RAW, 0), frames = FRAMES;
	struct xdp_mmap_offsets at;
	socklen_t len = sizeof(at);
	struct xdp_umem_reg reg = { .len = FRAMES * FRAME, .chunk_size = FRAME };

	umem = mmap(NULL, FRAMES * FRAME, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (fd < 0 || umem == MAP_FAILED)
		fail("opening a socket");
	reg.addr = (uintptr_t)umem;
	set_option(fd, XDP_UMEM_REG, &reg, sizeof(reg));
	set_option(fd, XDP_UMEM_FILL_RING, &frames, sizeof(frames));
	set_option(fd, XDP_UMEM_COMPLETION_RING, &frames, sizeof(frames));
	set_option(fd, XDP_RX_RING, &frames, sizeof(frames));
	set_option(fd, XDP_TX_RING, &frames, sizeof(frames));
	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &at, &len))
		fail("asking where the rings are");
	fill = map_ring(fd, &at.fr, XDP_UMEM_PGOFF_FILL_RING, sizeof(uint64_t));
	done = map_ring(fd, &at.cr, XDP_UMEM_PGOFF_COMPLETION_RING, sizeof(uint64_t));
	rx = map_ring(fd, &at.rx, XDP_PGOFF_RX_RING, sizeof(struct xdp_desc));
	tx = map_ring(fd, &at.tx, XDP_PGOFF_TX_RING, sizeof(struct xdp_desc));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		fail("binding the socket");
	return fd;
}

static void offer(uint64_t frame)
{
	uint32_t at = *fill.producer;

	((uint64_t *)fill.slots)[at % FRAMES] = frame;
	__atomic_store_n(fill.producer, at + 1, __ATOMIC_RELEASE);
}

/* Whatever comes goes back as an answer; its frame is offered again when it was sent. */
static void serve(int fd)
{
	struct pollfd poll_for = { .fd = fd, .events = POLLIN };

	for (uint64_t i = 0; i < FRAMES; i++)
		offer(i * FRAME);
	for (;;) {
		while (*done.consumer != __atomic_load_n(done.producer, __ATOMIC_ACQUIRE)) {
			uint64_t frame = ((uint64_t *)done.slots)[*done.consumer % FRAMES];

			__atomic_store_n(done.consumer, *done.consumer + 1, __ATOMIC_RELEASE);
			offer(frame / FRAME * FRAME);
		}
		while (*rx.consumer != __atomic_load_n(rx.producer, __ATOMIC_ACQUIRE)) {
			struct xdp_desc d = ((struct xdp_desc *)rx.slots)[*rx.consumer % FRAMES];

			__atomic_store_n(rx.consumer, *rx.consumer + 1, __ATOMIC_RELEASE);
			answer(umem + d.addr);
			((struct xdp_desc *)tx.slots)[*tx.producer % FRAMES] = d;
			__atomic_store_n(tx.producer, *tx.producer + 1, __ATOMIC_RELEASE);
		}
		sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
		poll(&poll_for, 1, 100);
	}
}

static int make_map(int fd)
{
	union bpf_attr make = { .map_type = BPF_MAP_TYPE_XSKMAP, .key_size = 4, .value_size = 4,
				.max_entries = 1 };
	int map = bpf(BPF_MAP_CREATE, &make, "making a map"), key = 0;
	union bpf_attr put = { .map_fd = (__u32)map, .key = (uintptr_t)&key, .value = (uintptr_t)&fd };

	bpf(BPF_MAP_UPDATE_ELEM, &put, "putting the socket into the map");
	return map;
}

int main(int argc, char **argv)
{
	unsigned int interface = argc > 2 ? if_nametoindex(argv[1]) : 0;
	char *frags = argc > 2 ? strstr(argv[2], "-frags") : NULL;
	int other = argc > 3 ? (int)if_nametoindex(argv[3]) : 0, sock = -1, map = -1;

	if (!interface) {
		fprintf(stderr, "usage: xdp INTERFACE pass|room|meta|drop|tx|redirect|xsk[-frags] [OTHER]\n");
		return 2;
	}
	if (frags)
		*frags = 0;
	if (!strcmp(argv[2], "xsk")) {
		sock = open_socket(interface);
		map = make_map(sock);
	}
	assemble(argv[2], other, map);
	attach(load_program(frags), interface);
	if (sock >= 0)
		serve(sock);
	for (;;)
		pause();
}
