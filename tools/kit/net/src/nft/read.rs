//! Reading the ruleset back: tables, chains, rules, elements. For undo, for `show`, and to see whose chains drop.

use netlink_packet_core::Emitable;
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, DataAttribute, ExpressionAttribute, Expressions, Hook,
    HookNumber, InetHookNumber, ListAttribute, NfTablesMessage, RuleAttribute, RuleMessage,
    SetAttribute, SetElementAttribute, SetElementList, SetElementMessage, SetMessage,
    TableAttribute, TableMessage,
};
use netlink_packet_netfilter::{NetfilterMessage, NetfilterMessageInner, NetfilterProtoFamily};
use nix::errno::Errno;

use super::{Family, Nft, Table, message};
use crate::NetError;
use crate::socket::parse;

/// `NF_ACCEPT` as a chain's policy; 0 drops.
pub(super) const ACCEPT: u32 = 1;

/// A table as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableInfo {
    /// Which one.
    pub table: Table,
    /// Never used again in this namespace, so that it tells one table from the next of that name.
    pub handle: u64,
}

/// A base chain as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainInfo {
    /// The table that it is in.
    pub table: Table,
    /// Its name in the table.
    pub name: String,
    /// `None` for one that is only jumped to.
    pub hook: Option<InetHookNumber>,
    /// Its turn among those of the same hook: lower is earlier.
    pub priority: i32,
    /// What no rule decides is dropped.
    pub policy_drop: bool,
    /// The kernel's number for it.
    pub handle: u64,
}

/// A rule as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleInfo {
    /// The kernel's number for it, by which it is deleted.
    pub handle: u64,
    /// What it compares and does.
    pub expressions: Vec<Expressions>,
}

impl RuleInfo {
    /// Whether it looks at a link of this name: its bytes, with the zero that ends a name, are among the rule's.
    pub fn names_link(&self, name: &str) -> bool {
        let name = [name.as_bytes(), &[0]].concat();
        self.expressions.iter().any(|expression| {
            let mut bytes = vec![0; expression.buffer_len()];
            expression.emit(&mut bytes);
            bytes.windows(name.len()).any(|window| window == name)
        })
    }
}

/// An element of a set or map as the kernel has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its key, as [`crate::nft::Concat`] makes it.
    pub key: Vec<u8>,
    /// `None` in a set.
    pub data: Option<Vec<u8>>,
}

impl Nft {
    /// All tables of the socket's namespace.
    pub fn tables(&self) -> Result<Vec<TableInfo>, NetError> {
        let request = NfTablesMessage::GetTable(TableMessage {
            attributes: Vec::new(),
        });
        self.list(
            NetfilterProtoFamily::Unspec,
            request,
            "listing nft tables",
            |family, inner| match inner {
                NfTablesMessage::NewTable(table) => Some(read_table(family, &table)),
                _ => None,
            },
        )
    }

    /// One table; `None` if there is none of that name.
    pub fn table(&self, table: &Table) -> Result<Option<TableInfo>, NetError> {
        Ok(self.tables()?.into_iter().find(|info| info.table == *table))
    }

    /// All chains of all tables.
    pub fn chains(&self) -> Result<Vec<ChainInfo>, NetError> {
        let request = NfTablesMessage::GetChain(ChainMessage {
            attributes: Vec::new(),
        });
        self.list(
            NetfilterProtoFamily::Unspec,
            request,
            "listing nft chains",
            |family, inner| match inner {
                NfTablesMessage::NewChain(chain) => Some(read_chain(family, chain)),
                _ => None,
            },
        )
    }

    /// The rules of one chain, in order.
    pub fn rules(&self, table: &Table, chain: &str) -> Result<Vec<RuleInfo>, NetError> {
        let attributes = vec![
            RuleAttribute::Table(table.name.clone()),
            RuleAttribute::Chain(chain.to_owned()),
        ];
        let request = NfTablesMessage::GetRule(RuleMessage { attributes });
        let doing = format!("listing the rules of nft chain \"{table} {chain}\"");
        self.list(
            table.family.into(),
            request,
            &doing,
            |_, inner| match inner {
                NfTablesMessage::NewRule(rule) => Some(read_rule(rule)),
                _ => None,
            },
        )
    }

    /// The names of a table's sets and maps; none where the table is not there.
    pub fn sets(&self, table: &Table) -> Result<Vec<String>, NetError> {
        let attributes = vec![SetAttribute::Table(table.name.clone())];
        let request = NfTablesMessage::GetSet(SetMessage { attributes });
        let doing = format!("listing the sets of nft table \"{table}\"");
        let name = |message: SetMessage| {
            message.attributes.into_iter().find_map(|it| match it {
                SetAttribute::Name(name) => Some(name),
                _ => None,
            })
        };
        let found = self.list(
            table.family.into(),
            request,
            &doing,
            |_, inner| match inner {
                NfTablesMessage::NewSet(set) => name(set),
                _ => None,
            },
        );
        match found {
            Err(error) if error.is(Errno::ENOENT) => Ok(Vec::new()),
            found => found,
        }
    }

    /// Deletes a table unless one of its sets or maps has an element: whether the table is gone. One transaction, so
    /// that an element which another process adds meanwhile is never deleted.
    pub fn delete_empty(&self, table: &Table) -> Result<bool, NetError> {
        let mut batch = super::Batch::new();
        let chains = self.chains()?.into_iter();
        for chain in chains.filter(|chain| chain.table == *table) {
            batch.del_chain(table, &chain.name);
        }
        for set in self.sets(table)? {
            batch.del_empty_set(table, &set);
        }
        batch.del_empty_table(table);
        match self.commit(batch) {
            Ok(()) => Ok(true),
            Err(error) if error.is(Errno::ENOENT) => Ok(true),
            Err(error) if error.is(Errno::EBUSY) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The elements of one set or map; none where the table or the set is not there.
    pub fn elements(&self, table: &Table, set: &str) -> Result<Vec<Element>, NetError> {
        let attributes = vec![
            SetElementList::Table(table.name.clone()),
            SetElementList::Set(set.to_owned()),
        ];
        let request = NfTablesMessage::GetSetElement(SetElementMessage { attributes });
        let doing = format!("listing the elements of nft set \"{table} {set}\"");
        let pieces = self.list(
            table.family.into(),
            request,
            &doing,
            |_, inner| match inner {
                NfTablesMessage::NewSetElement(elements) => Some(read_elements(elements)),
                _ => None,
            },
        );
        match pieces {
            Err(error) if error.is(Errno::ENOENT) => Ok(Vec::new()),
            pieces => Ok(pieces?.concat()),
        }
    }

    /// The element with that key, asked for by its key: the size of the set does not matter.
    pub fn element(
        &self,
        table: &Table,
        set: &str,
        key: &[u8],
    ) -> Result<Option<Element>, NetError> {
        let doing = format!("looking into nft set \"{table} {set}\"");
        let request = NfTablesMessage::GetSetElement(super::batch::elements(table, set, key, None));
        let request = message(table.family.into(), request);
        let Some(answer) = self.socket.get(request, &[Errno::ENOENT], &doing)? else {
            return Ok(None);
        };
        let message: NetfilterMessage = parse(&answer, &doing)?;
        match message.inner {
            NetfilterMessageInner::NfTables(NfTablesMessage::NewSetElement(elements)) => {
                Ok(read_elements(elements).pop())
            }
            _ => Ok(None),
        }
    }

    fn list<T>(
        &self,
        family: NetfilterProtoFamily,
        request: NfTablesMessage,
        doing: &str,
        read: impl Fn(Family, NfTablesMessage) -> Option<T>,
    ) -> Result<Vec<T>, NetError> {
        let answers = self.socket.dump(&message(family, request), doing)?;
        let mut found = Vec::new();
        for answer in &answers {
            let message: NetfilterMessage = parse(answer, doing)?;
            if let NetfilterMessageInner::NfTables(inner) = message.inner {
                found.extend(read(message.header.family.into(), inner));
            }
        }
        Ok(found)
    }
}

fn read_table(family: Family, message: &TableMessage) -> TableInfo {
    let mut info = TableInfo {
        table: Table::new(family, ""),
        handle: 0,
    };
    for attribute in &message.attributes {
        match attribute {
            TableAttribute::Name(name) => info.table.name.clone_from(name),
            TableAttribute::Handle(handle) => info.handle = *handle,
            _ => {}
        }
    }
    info
}

fn read_chain(family: Family, message: ChainMessage) -> ChainInfo {
    let mut info = ChainInfo {
        table: Table::new(family, ""),
        name: String::new(),
        hook: None,
        priority: 0,
        policy_drop: false,
        handle: 0,
    };
    for attribute in message.attributes {
        match attribute {
            ChainAttribute::Table(name) => info.table.name = name,
            ChainAttribute::Name(name) => info.name = name,
            ChainAttribute::Handle(handle) => info.handle = handle,
            ChainAttribute::Policy(policy) => info.policy_drop = policy != ACCEPT,
            ChainAttribute::Hook(hook) => {
                for attribute in hook {
                    match attribute {
                        Hook::Number(HookNumber::Inet(number)) => info.hook = Some(number),
                        Hook::Priority(priority) => info.priority = priority as i32,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    info
}

fn read_rule(message: RuleMessage) -> RuleInfo {
    let mut info = RuleInfo {
        handle: 0,
        expressions: Vec::new(),
    };
    for attribute in message.attributes {
        match attribute {
            RuleAttribute::Handle(handle) => info.handle = handle,
            RuleAttribute::Expressions(list) => {
                for item in list {
                    let ListAttribute::Element(attributes) = item else {
                        continue;
                    };
                    info.expressions
                        .extend(
                            attributes
                                .into_iter()
                                .filter_map(|attribute| match attribute {
                                    ExpressionAttribute::Data(expression) => Some(expression),
                                    _ => None,
                                }),
                        );
                }
            }
            _ => {}
        }
    }
    info
}

fn read_elements(message: SetElementMessage) -> Vec<Element> {
    let mut found = Vec::new();
    for attribute in message.attributes {
        let SetElementList::Elements(list) = attribute else {
            continue;
        };
        for item in list {
            let ListAttribute::Element(attributes) = item else {
                continue;
            };
            let mut element = Element {
                key: Vec::new(),
                data: None,
            };
            for attribute in attributes {
                match attribute {
                    SetElementAttribute::Key(DataAttribute::Value(key)) => element.key = key,
                    SetElementAttribute::Data(DataAttribute::Value(data)) => {
                        element.data = Some(data);
                    }
                    _ => {}
                }
            }
            found.push(element);
        }
    }
    found
}
