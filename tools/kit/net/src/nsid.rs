//! How one network namespace numbers another: `IFLA_LINK_NETNSID` of a link whose peer is elsewhere.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::nsid::{NsidAttribute, NsidMessage};
use nix::errno::Errno;

use crate::socket::parse;
use crate::{NetError, Netlink};

impl Netlink {
    /// The number that the socket's namespace has given to `netns`; `None` if it has given none, or no peer of
    /// its links is there.
    pub fn nsid_of(&self, netns: BorrowedFd<'_>) -> Result<Option<i32>, NetError> {
        let doing = "asking for the number of a network namespace";
        let mut message = NsidMessage::default();
        let fd = netns.as_raw_fd() as u32;
        message.attributes.push(NsidAttribute::Fd(fd));
        let message = RouteNetlinkMessage::GetNsId(message);
        let Some(answer) = self.socket.get(message, &[Errno::ENOENT], doing)? else {
            return Ok(None);
        };
        let RouteNetlinkMessage::NewNsId(message) = parse(&answer, doing)? else {
            return Ok(None);
        };
        let id = message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                NsidAttribute::Id(id) => Some(*id),
                _ => None,
            });
        Ok(id.filter(|id| *id >= 0))
    }
}
