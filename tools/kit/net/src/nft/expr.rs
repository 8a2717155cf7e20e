//! The expressions that rules are made of, in the words of `nft --debug=netlink`, which is where the register
//! numbers are from too. `fib`, `ct`, `nat` and `masq` are unknown to netlink-packet-netfilter and go as raw
//! attributes; their numbers are from `include/uapi/linux/netfilter/nf_tables.h`.

use netlink_packet_core::DefaultNla;
use netlink_packet_netfilter::nftables::{
    Bitwise, Cmp, DataAttribute, Expressions, Immediate, Lookup, Meta, Operator, Payload, Register,
    Verdict, VerdictAttribute,
};

pub use netlink_packet_netfilter::nftables::MetaKey;

/// The first register of 16 bytes.
pub const REG1: Register = Register::Reg1;
/// The second 16-byte register.
pub const REG2: Register = Register::Reg2;
/// The second and third word of [`REG1`]: where the later fields of a concatenation go.
pub const REG1_WORD1: Register = Register::Reg32_01;
/// The third word of the first register: the last part of an address, a protocol and a port.
pub const REG1_WORD2: Register = Register::Reg32_02;

/// `NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;
const IP_SADDR: u32 = 12;
const IP_DADDR: u32 = 16;
/// `NF_DROP`, `NF_ACCEPT`.
const DROP: u32 = 0;
const ACCEPT: u32 = 1;
/// `NFT_LOOKUP_F_INV`.
const LOOKUP_INVERT: u32 = 1;
/// `NFTA_FIB_F_SADDR`, `NFTA_FIB_F_DADDR`.
const FIB_SADDR: u32 = 1;
const FIB_DADDR: u32 = 2;
const RTN_UNICAST: u32 = 1;
const RTN_LOCAL: u32 = 2;
const RTN_MULTICAST: u32 = 5;
/// `NF_CT_STATE_BIT` of established and related; `IPS_DST_NAT`.
const ESTABLISHED_RELATED: u32 = 0b110;
const STATUS_DNAT: u32 = 1 << 5;

/// A rule, expression by expression.
#[derive(Debug, Default)]
pub struct Rule(Vec<Expressions>);

impl Rule {
    /// One that matches every packet and does nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more expression at its end.
    #[must_use]
    pub fn push(mut self, expression: Expressions) -> Self {
        self.0.push(expression);
        self
    }

    /// The expressions, as [`crate::Batch::add_rule`] takes them.
    pub fn build(self) -> Vec<Expressions> {
        self.0
    }

    /// `meta KEY => reg`
    #[must_use]
    pub fn load_meta(self, key: MetaKey, to: Register) -> Self {
        self.push(Expressions::Meta(vec![
            Meta::Key(key),
            Meta::DestinationRegister(to),
        ]))
    }

    /// `ip daddr`
    #[must_use]
    pub fn load_daddr(self, to: Register) -> Self {
        self.load(NETWORK, (IP_DADDR, 4), to)
    }

    /// `th dport`, of TCP and UDP alike
    #[must_use]
    pub fn load_dport(self, to: Register) -> Self {
        self.load(TRANSPORT, (2, 2), to)
    }

    fn load(self, base: u32, (offset, len): (u32, u32), to: Register) -> Self {
        self.push(Expressions::Payload(vec![
            Payload::DestinationRegister(to),
            Payload::Base(base),
            Payload::Offset(offset),
            Payload::Len(len),
        ]))
    }

    fn compare(self, operator: Operator, with: &[u8]) -> Self {
        self.push(Expressions::Cmp(vec![
            Cmp::SourceRegister(REG1),
            Cmp::Op(operator),
            Cmp::Data(DataAttribute::Value(with.to_vec())),
        ]))
    }

    /// `iifname != NAME`
    #[must_use]
    pub fn iifname_is_not(self, name: &str) -> Self {
        self.load_meta(MetaKey::Iifname, REG1)
            .compare(Operator::NotEqual, &super::ifname(name))
    }

    /// `iifname @SET`, or `!= @SET`
    #[must_use]
    pub fn iifname_in(self, set: &str, is: bool) -> Self {
        self.load_meta(MetaKey::Iifname, REG1).in_set(set, is)
    }

    /// `oifname @SET`, or `!= @SET`
    #[must_use]
    pub fn oifname_in(self, set: &str, is: bool) -> Self {
        self.load_meta(MetaKey::Oifname, REG1).in_set(set, is)
    }

    /// `meta iifkind KIND`: a device of that kind as ip(8) names it, such as `bridge`
    #[must_use]
    pub fn iifkind_is(self, kind: &str) -> Self {
        self.load_meta(MetaKey::Iifkind, REG1)
            .compare(Operator::Equal, &super::ifname(kind))
    }

    /// `meta oifkind KIND`
    #[must_use]
    pub fn oifkind_is(self, kind: &str) -> Self {
        self.load_meta(MetaKey::Oifkind, REG1)
            .compare(Operator::Equal, &super::ifname(kind))
    }

    /// `ip saddr 127.0.0.0/8`
    #[must_use]
    pub fn saddr_is_loopback(self) -> Self {
        self.load(NETWORK, (IP_SADDR, 1), REG1)
            .compare(Operator::Equal, &[127])
    }

    /// `ip daddr 127.0.0.0/8`
    #[must_use]
    pub fn daddr_is_loopback(self) -> Self {
        self.load(NETWORK, (IP_DADDR, 1), REG1)
            .compare(Operator::Equal, &[127])
    }

    /// What is in [`REG1`] is in the set, or is not.
    #[must_use]
    pub fn in_set(self, set: &str, is: bool) -> Self {
        let mut lookup = vec![Lookup::Set(set.to_owned()), Lookup::SourceRegister(REG1)];
        if !is {
            lookup.push(Lookup::Flags(LOOKUP_INVERT));
        }
        self.push(Expressions::Lookup(lookup))
    }

    /// What the map has for [`REG1`], into [`REG1`]; the rule ends if it has nothing.
    #[must_use]
    pub fn map(self, map: &str) -> Self {
        self.push(Expressions::Lookup(vec![
            Lookup::Set(map.to_owned()),
            Lookup::SourceRegister(REG1),
            Lookup::DestinationRegister(REG1),
        ]))
    }

    /// `iif 0`: the hook was not told by which link the packet came in
    #[must_use]
    pub fn iif_is_unknown(self) -> Self {
        self.load_meta(MetaKey::Iif, REG1)
            .compare(Operator::Equal, &[0; 4])
    }

    /// `fib daddr type local`: to an address of this host's
    #[must_use]
    pub fn daddr_is_local(self) -> Self {
        self.fib_type(FIB_DADDR)
            .compare(Operator::Equal, &RTN_LOCAL.to_ne_bytes())
    }

    /// `fib saddr type != local`: not from an address of this host's
    #[must_use]
    pub fn saddr_is_not_local(self) -> Self {
        self.fib_type(FIB_SADDR)
            .compare(Operator::NotEqual, &RTN_LOCAL.to_ne_bytes())
    }

    /// `fib saddr type unicast`: from another host's address
    #[must_use]
    pub fn saddr_is_unicast(self) -> Self {
        self.fib_type(FIB_SADDR)
            .compare(Operator::Equal, &RTN_UNICAST.to_ne_bytes())
    }

    /// `fib daddr type multicast`
    #[must_use]
    pub fn daddr_is_multicast(self) -> Self {
        self.fib_type(FIB_DADDR)
            .compare(Operator::Equal, &RTN_MULTICAST.to_ne_bytes())
    }

    fn fib_type(self, of: u32) -> Self {
        const DREG: u16 = 1;
        const RESULT: u16 = 2;
        const FLAGS: u16 = 3;
        const RESULT_ADDRTYPE: u32 = 3;
        let attributes = [
            (DREG, u32::from(REG1)),
            (RESULT, RESULT_ADDRTYPE),
            (FLAGS, of),
        ];
        self.push(other("fib", &attributes))
    }

    /// `ct status dnat`
    #[must_use]
    pub fn is_dnat(self) -> Self {
        const STATUS: u32 = 2;
        self.ct_has(STATUS, STATUS_DNAT)
    }

    /// `ct state established,related`
    #[must_use]
    pub fn is_established(self) -> Self {
        const STATE: u32 = 0;
        self.ct_has(STATE, ESTABLISHED_RELATED)
    }

    fn ct_has(self, key: u32, any_of: u32) -> Self {
        const DREG: u16 = 1;
        const KEY: u16 = 2;
        self.push(other("ct", &[(DREG, u32::from(REG1)), (KEY, key)]))
            .push(Expressions::Bitwise(vec![
                Bitwise::SourceRegister(REG1),
                Bitwise::DestinationRegister(REG1),
                Bitwise::Length(4),
                Bitwise::Mask(DataAttribute::Value(any_of.to_ne_bytes().to_vec())),
                Bitwise::Xor(DataAttribute::Value(vec![0; 4])),
            ]))
            .compare(Operator::NotEqual, &[0; 4])
    }

    /// `dnat ip to` the address in [`REG1`] and the port in [`REG1_WORD1`]
    #[must_use]
    pub fn dnat(self) -> Self {
        const TYPE: u16 = 1;
        const FAMILY: u16 = 2;
        const ADDR_MIN: u16 = 3;
        const PROTO_MIN: u16 = 5;
        const DNAT: u32 = 1;
        const IPV4: u32 = 2;
        self.push(other(
            "nat",
            &[
                (TYPE, DNAT),
                (FAMILY, IPV4),
                (ADDR_MIN, u32::from(REG1)),
                (PROTO_MIN, u32::from(REG1_WORD1)),
            ],
        ))
    }

    /// The packet leaves under this host's address.
    #[must_use]
    pub fn masquerade(self) -> Self {
        self.push(other("masq", &[]))
    }

    /// The packet passes.
    #[must_use]
    pub fn accept(self) -> Self {
        self.verdict(ACCEPT)
    }

    /// The packet is dropped.
    #[must_use]
    pub fn drop(self) -> Self {
        self.verdict(DROP)
    }

    fn verdict(self, code: u32) -> Self {
        let code = VerdictAttribute::Code(Verdict::Other(code));
        self.push(Expressions::Immediate(vec![
            Immediate::DestinationRegister(Register::Verdict),
            Immediate::Data(DataAttribute::Verdict(vec![code])),
        ]))
    }
}

/// An expression by name, its attributes big-endian words.
fn other(name: &str, attributes: &[(u16, u32)]) -> Expressions {
    let word = |(kind, value): &(u16, u32)| DefaultNla::new(*kind, value.to_be_bytes().to_vec());
    Expressions::Other {
        expression_type: name.to_owned(),
        attributes: attributes.iter().map(word).collect(),
    }
}
