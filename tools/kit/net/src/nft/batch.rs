//! What a transaction does, message by message, each with the words for its error.

use netlink_packet_core::{NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_netfilter::NetfilterMessage;
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, DataAttribute, Expressions, Hook, HookNumber, InetHookNumber,
    ListAttribute, NfTablesMessage, RuleAttribute, RuleMessage, SetAttribute, SetElementAttribute,
    SetElementList, SetElementMessage, SetMessage, TableAttribute, TableFlags, TableMessage,
};

use super::{Set, Table, message};

/// Do not delete recursively.
const NLM_F_NONREC: u16 = 0x100;

/// A base chain: one that the kernel calls at a hook.
#[derive(Debug, Clone)]
pub struct Chain<'a> {
    /// Its name in the table.
    pub name: &'a str,
    /// `filter` or `nat`.
    pub kind: &'a str,
    /// Where in a packet's way it is asked.
    pub hook: InetHookNumber,
    /// Its turn among those of the same hook: lower is earlier.
    pub priority: i32,
}

/// A transaction in the making; [`super::Nft::commit`] does it.
#[derive(Default)]
pub struct Batch {
    pub(super) messages: Vec<(NetfilterMessage, u16, String)>,
}

impl Batch {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether committing it would change nothing.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    fn push(&mut self, table: &Table, inner: NfTablesMessage, flags: u16, doing: String) {
        // Only the last acknowledgement is waited for; those of the others would only fill the buffer.
        if let Some((_, flags, _)) = self.messages.last_mut() {
            *flags &= !NLM_F_ACK;
        }
        self.messages.push((
            message(table.family.into(), inner),
            flags | NLM_F_ACK,
            doing,
        ));
    }

    /// Makes the table; one that is there already fails with `EEXIST`.
    pub fn create_table(&mut self, table: &Table) {
        self.new_table(table, NLM_F_CREATE | NLM_F_EXCL);
    }

    /// Makes the table unless it is there.
    pub fn add_table(&mut self, table: &Table) {
        self.new_table(table, NLM_F_CREATE);
    }

    fn new_table(&mut self, table: &Table, flags: u16) {
        let attributes = vec![
            TableAttribute::Name(table.name.clone()),
            TableAttribute::Flags(TableFlags::empty()),
        ];
        let inner = NfTablesMessage::NewTable(TableMessage { attributes });
        self.push(
            table,
            inner,
            flags,
            format!("creating nft table \"{table}\""),
        );
    }

    /// Deletes a base chain and its rules.
    pub(super) fn del_chain(&mut self, table: &Table, chain: &str) {
        let attributes = vec![
            ChainAttribute::Table(table.name.clone()),
            ChainAttribute::Name(chain.to_owned()),
        ];
        let inner = NfTablesMessage::DeleteChain(ChainMessage { attributes });
        let doing = format!("deleting nft chain \"{table} {chain}\"");
        self.push(table, inner, 0, doing);
    }

    /// Deletes a set or map; one with elements fails with `EBUSY`.
    pub(super) fn del_empty_set(&mut self, table: &Table, set: &str) {
        let attributes = vec![
            SetAttribute::Table(table.name.clone()),
            SetAttribute::Name(set.to_owned()),
        ];
        let inner = NfTablesMessage::DeleteSet(SetMessage { attributes });
        let doing = format!("deleting nft set \"{table} {set}\"");
        self.push(table, inner, NLM_F_NONREC, doing);
    }

    /// Deletes a table; one with anything left in it fails with `EBUSY`.
    pub(super) fn del_empty_table(&mut self, table: &Table) {
        let attributes = vec![TableAttribute::Name(table.name.clone())];
        let inner = NfTablesMessage::DeleteTable(TableMessage { attributes });
        let doing = format!("deleting nft table \"{table}\"");
        self.push(table, inner, NLM_F_NONREC, doing);
    }

    /// Deletes the table and all in it.
    pub fn del_table(&mut self, table: &Table) {
        let attributes = vec![TableAttribute::Name(table.name.clone())];
        let inner = NfTablesMessage::DeleteTable(TableMessage { attributes });
        self.push(table, inner, 0, format!("deleting nft table \"{table}\""));
    }

    /// Makes a base chain with policy accept.
    pub fn add_chain(&mut self, table: &Table, chain: &Chain<'_>) {
        let hook = vec![
            Hook::Number(HookNumber::Inet(chain.hook)),
            Hook::Priority(chain.priority as u32),
        ];
        let attributes = vec![
            ChainAttribute::Table(table.name.clone()),
            ChainAttribute::Name(chain.name.to_owned()),
            ChainAttribute::Hook(hook),
            ChainAttribute::Type(chain.kind.to_owned()),
            ChainAttribute::Policy(super::read::ACCEPT),
        ];
        let inner = NfTablesMessage::NewChain(ChainMessage { attributes });
        self.push(
            table,
            inner,
            NLM_F_CREATE,
            format!("creating nft chain \"{table} {}\"", chain.name),
        );
    }

    /// Makes a set, or a map where it has data.
    pub fn add_set(&mut self, table: &Table, set: &Set<'_>) {
        // Names the set within the transaction (NFTA_SET_ID): each needs another one.
        let id = self.messages.len() as u32 + 1;
        let inner = NfTablesMessage::NewSet(SetMessage {
            attributes: set.attributes(table, id),
        });
        self.push(
            table,
            inner,
            NLM_F_CREATE,
            format!("creating nft set \"{table} {}\"", set.name),
        );
    }

    /// Appends a rule, see [`super::expr`].
    pub fn add_rule(&mut self, table: &Table, chain: &str, expressions: Vec<Expressions>) {
        let attributes = vec![
            RuleAttribute::Table(table.name.clone()),
            RuleAttribute::Chain(chain.to_owned()),
            RuleAttribute::Expressions(expressions.into_iter().map(ListAttribute::from).collect()),
        ];
        let inner = NfTablesMessage::NewRule(RuleMessage { attributes });
        let doing = format!("adding a rule to nft chain \"{table} {chain}\"");
        self.push(table, inner, NLM_F_CREATE | NLM_F_APPEND, doing);
    }

    /// Deletes one rule.
    pub fn del_rule(&mut self, table: &Table, chain: &str, handle: u64) {
        let attributes = vec![
            RuleAttribute::Table(table.name.clone()),
            RuleAttribute::Chain(chain.to_owned()),
            RuleAttribute::Handle(handle),
        ];
        let inner = NfTablesMessage::DeleteRule(RuleMessage { attributes });
        self.push(
            table,
            inner,
            0,
            format!("deleting rule {handle} of nft chain \"{table} {chain}\""),
        );
    }

    /// Adds an element to a set, or with `data` to a map; a key that is there already fails with `EEXIST`.
    pub fn create_element(&mut self, table: &Table, set: &str, key: &[u8], data: Option<&[u8]>) {
        self.new_element(table, set, (key, data), NLM_F_CREATE | NLM_F_EXCL);
    }

    /// The same, but one that is there already, with the same data, is fine.
    pub fn add_element(&mut self, table: &Table, set: &str, key: &[u8], data: Option<&[u8]>) {
        self.new_element(table, set, (key, data), NLM_F_CREATE);
    }

    fn new_element(
        &mut self,
        table: &Table,
        set: &str,
        (key, data): (&[u8], Option<&[u8]>),
        flags: u16,
    ) {
        let inner = NfTablesMessage::NewSetElement(elements(table, set, key, data));
        self.push(
            table,
            inner,
            flags,
            format!("adding an element to nft set \"{table} {set}\""),
        );
    }

    /// Removes the element with that key; its absence fails with `ENOENT`.
    pub fn del_element(&mut self, table: &Table, set: &str, key: &[u8]) {
        let inner = NfTablesMessage::DeleteSetElement(elements(table, set, key, None));
        self.push(
            table,
            inner,
            0,
            format!("removing an element from nft set \"{table} {set}\""),
        );
    }
}

pub(super) fn elements(
    table: &Table,
    set: &str,
    key: &[u8],
    data: Option<&[u8]>,
) -> SetElementMessage {
    let mut element = vec![SetElementAttribute::Key(DataAttribute::Value(key.to_vec()))];
    element.extend(data.map(|data| SetElementAttribute::Data(DataAttribute::Value(data.to_vec()))));
    SetElementMessage {
        attributes: vec![
            SetElementList::Table(table.name.clone()),
            SetElementList::Set(set.to_owned()),
            SetElementList::Elements(vec![ListAttribute::Element(element)]),
        ],
    }
}
