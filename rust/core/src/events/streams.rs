//! What a recording of DV holds, as the XML in its header says.
//!
//! The node `outInfo` has a node for each stream, whose name is the number of the stream, with an attribute
//! `typeIdentifier` and a node `info` that knows the size.

use alloc::vec::Vec;

/// Nodes in nodes that are followed.
const DEPTH: usize = 64;

/// A stream of events.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stream {
    pub(super) id: i32,
    is_events: bool,
    width: Option<u16>,
    height: Option<u16>,
}

impl Stream {
    pub(super) fn size(&self) -> Option<(u16, u16)> {
        Some((self.width?, self.height?))
    }
}

/// The stream of events with the lowest number.
pub(super) fn events(xml: &str) -> Option<Stream> {
    let (mut streams, mut nodes) = (Vec::<Stream>::new(), Vec::new());
    let mut rest = xml;
    while let Some((_, tail)) = rest.split_once('<') {
        let (tag, behind) = tail.split_once('>')?;
        rest = behind;
        if tag.starts_with("/node") {
            nodes.pop();
        } else if tag.starts_with("node") && !tag.ends_with('/') {
            nodes.push(attribute(tag, "name")?);
            if nodes.len() > DEPTH {
                return None;
            }
        } else if tag.starts_with("attr") {
            let text = behind.split('<').next().unwrap_or_default().trim();
            note(&mut streams, &nodes, attribute(tag, "key")?, text);
        }
    }
    let events = streams.into_iter().filter(|stream| stream.is_events);
    events.min_by_key(|stream| stream.id)
}

/// Keeps what an attribute says of a stream.
fn note(streams: &mut Vec<Stream>, nodes: &[&str], key: &str, text: &str) {
    let mut path = nodes.iter().skip_while(|name| **name != "outInfo").skip(1);
    let Some(id) = path.next().and_then(|name| name.parse().ok()) else {
        return;
    };
    // A recording has a few streams, and speaks of one at a time.
    if streams.last().is_none_or(|last| last.id != id) {
        streams.push(Stream {
            id,
            ..Stream::default()
        });
    }
    if let Some(stream) = streams.last_mut() {
        match key {
            "typeIdentifier" => stream.is_events = text == "EVTS",
            "sizeX" => stream.width = text.parse().ok(),
            "sizeY" => stream.height = text.parse().ok(),
            _ => {}
        }
    }
}

/// The value of an attribute of a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = tag;
    while let Some((front, tail)) = rest.split_once("=\"") {
        let (value, behind) = tail.split_once('"')?;
        if front.split_whitespace().next_back() == Some(name) {
            return Some(value);
        }
        rest = behind;
    }
    None
}
