/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A packet's hash as netif's control ring defines it: of addresses, and of TCP's ports. */
#ifndef XPV_FLOW_H
#define XPV_FLOW_H

#include <linux/in.h>
#include <linux/skbuff.h>
#include <net/flow_dissector.h>
#include <xpv/netctl.h>

/*
 * The most telling hash of @wanted (bits of XPV_NET_HASH_*) that @skb has. Returns its type and stores
 * it in *@hash; XPV_NET_HASH_TYPES and 0 if it has none.
 */
static inline u8 xpv_flow_hash(const struct sk_buff *skb, u32 wanted,
			       const struct xpv_toeplitz *key, u32 *hash)
{
	u8 type, data[XPV_TOEPLITZ_BYTES];
	struct flow_keys keys;
	u32 len;

	static_assert(XPV_NET_HASH_IPV4_TCP == XPV_NET_HASH_IPV4 + 1, "next to it");
	static_assert(XPV_NET_HASH_IPV6_TCP == XPV_NET_HASH_IPV6 + 1, "next to it");
	*hash = 0;
	if (!skb_flow_dissect_flow_keys(skb, &keys, FLOW_DISSECTOR_F_STOP_AT_ENCAP))
		return XPV_NET_HASH_TYPES;
	switch (keys.control.addr_type) {
	case FLOW_DISSECTOR_KEY_IPV4_ADDRS:
		type = XPV_NET_HASH_IPV4;
		len = sizeof(keys.addrs.v4addrs);
		break;
	case FLOW_DISSECTOR_KEY_IPV6_ADDRS:
		type = XPV_NET_HASH_IPV6;
		len = sizeof(keys.addrs.v6addrs);
		break;
	default:
		return XPV_NET_HASH_TYPES;
	}
	memcpy(data, &keys.addrs, len);
	if (wanted & BIT(type + 1) && keys.basic.ip_proto == IPPROTO_TCP &&
	    !(keys.control.flags & FLOW_DIS_IS_FRAGMENT)) {
		memcpy(data + len, &keys.ports.ports, sizeof(keys.ports.ports));
		len += sizeof(keys.ports.ports);
		type++;
	} else if (!(wanted & BIT(type))) {
		return XPV_NET_HASH_TYPES;
	}
	*hash = xpv_toeplitz(key, data, len);
	return type;
}

/* Let the stack know the hash that the other end told; no type, no hash. */
static inline void xpv_flow_tell(struct sk_buff *skb, u8 type, u32 hash)
{
	if (type < XPV_NET_HASH_TYPES)
		skb_set_hash(skb, hash, type == XPV_NET_HASH_IPV4_TCP ||
					type == XPV_NET_HASH_IPV6_TCP ?
					PKT_HASH_TYPE_L4 : PKT_HASH_TYPE_L3);
}

#endif
