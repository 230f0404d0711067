//! Picture files in folders named after their classes, from a directory or a stream.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

use rayon::prelude::*;

use super::dataset::{Dataset, Split};
use super::picture::decode_picture;
use crate::error::{Error, Result};
use crate::files::reading;
use crate::progress::{LoadProgress, Observer};

/// Most bytes of one picture file; a larger one is refused before it is read.
pub const MAX_FILE: u64 = 64 << 20;

/// Most values of all pictures together, 16 GiB.
const MAX_VALUES: u64 = 1 << 34;

/// Pictures that are read before they are handed to the decoding threads: this many, or this many
/// bytes, whichever comes first.
const GROUP: (usize, usize) = (1024, 16 << 20);

/// How pictures become a set.
pub struct Decoding<'a> {
    /// Rows and columns every picture is resized to; `None`: all must have one size.
    pub resize: Option<[usize; 2]>,
    /// Directory where decoded sets are kept for the next time; `None`: nowhere.
    pub cache: Option<&'a Path>,
    /// Who watches.
    pub observer: &'a dyn Observer,
}

/// The two halves of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Train,
    Test,
}

/// Where a picture belongs: `train/CLASS/FILE`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) part: Part,
    pub(super) class: String,
    pub(super) file: String,
}

impl Place {
    /// Reads the place from a path with `/`, whatever stands before `train/` or `test/`. `None` for
    /// what is no picture (by its ending) or hidden.
    ///
    /// # Errors
    /// A picture anywhere else.
    pub(super) fn of(path: &str) -> std::result::Result<Option<Self>, String> {
        let mut parts = path.rsplit('/');
        let file = parts.next().unwrap_or_default();
        let is_picture = file.rsplit_once('.').is_some_and(|(_, ending)| {
            ["jpg", "jpeg", "png"].contains(&ending.to_ascii_lowercase().as_str())
        });
        if !is_picture || file.starts_with('.') {
            return Ok(None);
        }
        let class = parts.next().unwrap_or_default();
        let part = match parts.next() {
            Some("train") => Part::Train,
            Some("test") => Part::Test,
            _ => {
                return Err("a picture must be train/CLASS/FILE or test/CLASS/FILE".into());
            }
        };
        if class.is_empty() || class == "." || class == ".." {
            return Err(format!("\"{class}\" is no class name"));
        }
        Ok(Some(Self {
            part,
            class: class.into(),
            file: file.into(),
        }))
    }
}

/// A picture file that was read.
pub(super) struct Member {
    /// Name for messages.
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) bytes: Vec<u8>,
}

/// Takes members in groups to the decoding threads.
pub(super) struct Sink {
    groups: SyncSender<Vec<Member>>,
    group: Vec<Member>,
    bytes: usize,
}

impl Sink {
    /// Takes a member; false when nobody wants more.
    #[must_use]
    pub(super) fn take(&mut self, member: Member) -> bool {
        self.bytes += member.bytes.len();
        self.group.push(member);
        let full = self.group.len() >= GROUP.0 || self.bytes >= GROUP.1;
        !full || self.flush()
    }

    fn flush(&mut self) -> bool {
        self.bytes = 0;
        self.groups.send(std::mem::take(&mut self.group)).is_ok()
    }
}

/// A decoded picture in its place.
struct Decoded {
    place: Place,
    c: usize,
    pixels: Vec<u8>,
}

/// Decodes what `read` puts into its sink, in parallel with the reading. `of`: how many there will
/// be, where known. Classes are numbered in alphabetical order; the pictures of a part are the first
/// of every class, the second of every class, ..., by file name, so that any first N are balanced.
pub(super) fn collect(
    label: &str,
    of: Option<usize>,
    decoding: &Decoding,
    read: impl FnOnce(&mut Sink) -> Result<()> + Send,
) -> Result<Split> {
    let pictures = std::thread::scope(|scope| {
        let (groups, filled) = sync_channel(2);
        let reader = scope.spawn(move || {
            let mut sink = Sink {
                groups,
                group: vec![],
                bytes: 0,
            };
            let done = read(&mut sink);
            // What was read before a mistake is still decoded: the first mistake is reported.
            sink.flush();
            done
        });
        let decoded = decode(label, of, decoding, filled);
        let read = reader
            .join()
            .map_err(|_| Error::Internal("the thread that reads pictures ended early".into()))?;
        let decoded = decoded?;
        read.map(|()| decoded)
    })?;
    assemble(label, pictures)
}

/// Decoded pictures in the order they came, and their common rows and columns.
struct Pictures {
    all: Vec<Decoded>,
    size: (usize, usize),
}

fn decode(
    label: &str,
    of: Option<usize>,
    decoding: &Decoding,
    groups: std::sync::mpsc::Receiver<Vec<Member>>,
) -> Result<Pictures> {
    let mut all: Vec<Decoded> = vec![];
    let mut first: Option<(String, (usize, usize))> = None;
    let mut values = 0usize;
    for group in groups {
        let decoded: Vec<_> = group
            .into_par_iter()
            .map(|m| {
                (
                    decode_picture(&m.name, &m.bytes, decoding.resize),
                    m.name,
                    m.place,
                )
            })
            .collect();
        for (picture, name, place) in decoded {
            let picture = picture?;
            let size = (picture.h, picture.w);
            let (first, expected) = first.get_or_insert_with(|| (name.clone(), size));
            if size != *expected {
                return Err(Error::input(format!(
                    "{name}: a picture of {} x {} pixels, but {first} has {} x {}; allowed: one size, \
                     or resize = [rows, columns]",
                    size.0, size.1, expected.0, expected.1
                )));
            }
            values += picture.pixels.len();
            if values as u64 > MAX_VALUES {
                return Err(Error::input(format!(
                    "{name}: more than {MAX_VALUES} values up to here; allowed: smaller pictures \
                     (resize = [rows, columns]) or fewer"
                )));
            }
            all.push(Decoded {
                place,
                c: picture.c,
                pixels: picture.pixels,
            });
        }
        decoding.observer.loading(&LoadProgress {
            label: label.into(),
            done: all.len(),
            of,
        });
        if decoding.observer.interrupted() {
            return Err(Error::Interrupted(format!(
                "interrupted while reading {label}; it starts over"
            )));
        }
    }
    let size = first.map(|(_, size)| size).unwrap_or_default();
    Ok(Pictures { all, size })
}

fn assemble(label: &str, pictures: Pictures) -> Result<Split> {
    let Pictures { mut all, size } = pictures;
    all.sort_by(|a, b| a.place.cmp(&b.place));
    if let Some(twice) = all.windows(2).find(|w| w[0].place == w[1].place) {
        let Place { class, file, .. } = &twice[0].place;
        return Err(Error::input(format!(
            "{label}: the picture {class}/{file} is there twice in one part"
        )));
    }
    let classes_of = |part: Part| -> BTreeSet<String> {
        let of = all.iter().filter(|p| p.place.part == part);
        of.map(|p| p.place.class.clone()).collect()
    };
    let (train, test) = (classes_of(Part::Train), classes_of(Part::Test));
    if train.is_empty() || test.is_empty() {
        let missing = if train.is_empty() { "train" } else { "test" };
        return Err(Error::input(format!(
            "{label}: no pictures in {missing}/CLASS/; expected JPEG or PNG files"
        )));
    }
    if let Some(class) = test.difference(&train).next() {
        return Err(Error::input(format!(
            "{label}: the class \"{class}\" is in test/ only; classes are those of train/"
        )));
    }
    if train.len() > usize::from(u16::MAX) {
        return Err(Error::input(format!(
            "{label}: {} classes; allowed: at most {}",
            train.len(),
            u16::MAX
        )));
    }
    let number: BTreeMap<String, u16> = train.into_iter().zip(0..).collect();
    let c = all.iter().map(|p| p.c).max().unwrap_or(1);
    let split = all.partition_point(|p| p.place.part == Part::Train);
    let test = all.split_off(split);
    let set = |name: &str, pictures: Vec<Decoded>| {
        let (images, labels) = in_turn(label, pictures, &number, c, size)?;
        let shape = (c, size.0, size.1);
        Dataset::new(
            format!("{label} {name}"),
            images,
            labels,
            shape,
            number.len(),
            255,
        )
    };
    Split::new(set("train", all)?, set("test", test)?)
}

/// Pixels and labels of pictures sorted by class, one of each class in turn.
fn in_turn(
    name: &str,
    pictures: Vec<Decoded>,
    number: &BTreeMap<String, u16>,
    c: usize,
    (h, w): (usize, usize),
) -> Result<(Vec<u8>, Vec<u16>)> {
    let n = pictures.len();
    let mut of_class: Vec<Vec<Decoded>> = (0..number.len()).map(|_| vec![]).collect();
    for picture in pictures {
        of_class[usize::from(number[&picture.place.class])].push(picture);
    }
    let largest = of_class.iter().map(Vec::len).max().unwrap_or(0);
    let mut in_order: Vec<_> = of_class.into_iter().map(Vec::into_iter).collect();
    let mut images = reading::room_for(n * c * h * w, name)?;
    let mut labels = Vec::with_capacity(n);
    for _ in 0..largest {
        for (label, class) in in_order.iter_mut().enumerate() {
            let Some(picture) = class.next() else {
                continue;
            };
            // A grey picture among coloured ones has three equal channels. Each picture's own
            // memory is given back as soon as it is copied.
            for _ in 0..c / picture.c {
                images.extend_from_slice(&picture.pixels);
            }
            labels.push(label as u16);
        }
    }
    Ok((images, labels))
}

#[cfg(test)]
pub(super) mod tests;
