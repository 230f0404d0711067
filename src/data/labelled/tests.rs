use super::*;
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage};
use std::sync::Mutex;

/// A PNG of 2 x 3 pixels of this value.
pub(in crate::data) fn grey(value: u8) -> Vec<u8> {
    png(GrayImage::from_pixel(3, 2, Luma([value])))
}

pub(in crate::data) fn png(image: impl Into<DynamicImage>) -> Vec<u8> {
    let mut out = std::io::Cursor::new(vec![]);
    image.into().write_to(&mut out, ImageFormat::Png).unwrap();
    out.into_inner()
}

/// Decoding without a cache, watched by nobody.
pub(in crate::data) const PLAIN: Decoding = Decoding {
    resize: None,
    cache: None,
    observer: &(),
};

fn member(path: &str, bytes: Vec<u8>) -> Member {
    Member {
        name: path.into(),
        place: Place::of(path).unwrap().unwrap(),
        bytes,
    }
}

fn collected(members: &[(&str, Vec<u8>)], decoding: &Decoding) -> Result<Split> {
    collect("set", None, decoding, |sink| {
        for (path, bytes) in members {
            if !sink.take(member(path, bytes.clone())) {
                break;
            }
        }
        Ok(())
    })
}

fn refusal(members: &[(&str, Vec<u8>)]) -> String {
    match collected(members, &PLAIN) {
        Err(error @ Error::Input(_)) => error.to_string(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn bytes(d: &Dataset) -> &[u8] {
    match &d.images {
        super::super::Pixels::Bytes(v) => v,
        _ => panic!("pictures are bytes"),
    }
}

#[test]
fn places_are_read_from_paths() {
    let place = |part, class: &str, file: &str| {
        Ok(Some(Place {
            part,
            class: class.into(),
            file: file.into(),
        }))
    };
    assert_eq!(
        Place::of("train/cat/1.jpg"),
        place(Part::Train, "cat", "1.jpg")
    );
    assert_eq!(
        Place::of("./x/test/a b/1.JPeG"),
        place(Part::Test, "a b", "1.JPeG")
    );
    for ignored in [
        "README.md",
        "train/cat/.x.jpg",
        "train/cat/jpg",
        "labels.txt",
        "train/",
    ] {
        assert_eq!(Place::of(ignored), Ok(None), "{ignored}");
    }
    for wrong in [
        "1.png",
        "cat/1.png",
        "val/cat/1.png",
        "train/cat/deep/1.png",
        "train/../1.png",
        "train//1.png",
    ] {
        assert!(Place::of(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn classes_are_alphabetical_and_taken_in_turn() {
    let members = [
        ("train/b/2.png", grey(22)),
        ("train/b/1.png", grey(21)),
        ("train/a/10.png", grey(11)),
        ("train/c/1.png", grey(31)),
        ("train/b/3.png", grey(23)),
        ("train/a/9.png", grey(12)),
        ("test/c/1.png", grey(39)),
        ("test/a/1.png", grey(19)),
    ];
    let split = collected(&members, &PLAIN).unwrap();
    let firsts = |d: &Dataset| -> Vec<u8> { bytes(d).iter().step_by(6).copied().collect() };
    assert_eq!(firsts(&split.train), [11, 21, 31, 12, 22, 23]);
    assert_eq!(split.train.labels, [0, 1, 2, 0, 1, 1]);
    assert_eq!(firsts(&split.test), [19, 39]);
    assert_eq!(split.test.labels, [0, 2]);
    assert_eq!(
        (split.test.c, split.test.h, split.test.w, split.test.classes),
        (1, 2, 3, 3)
    );
    assert_eq!(split.train.name, "set train");
    // The order of arrival does not matter.
    let mut other = members.to_vec();
    other.reverse();
    assert_eq!(collected(&other, &PLAIN).unwrap(), split);
}

#[test]
fn grey_among_colours_is_coloured() {
    let red = png(RgbImage::from_pixel(3, 2, Rgb([255, 0, 1])));
    let members = [
        ("train/a/1.png", grey(7)),
        ("train/a/2.png", red),
        ("test/a/1.png", grey(8)),
    ];
    let split = collected(&members, &PLAIN).unwrap();
    assert_eq!((split.train.c, split.test.c), (3, 3));
    assert_eq!(bytes(&split.train)[..18], [7; 18]);
    assert_eq!(
        bytes(&split.train)[18..],
        [[255; 6], [0; 6], [1; 6]].concat()
    );
    assert_eq!(bytes(&split.test), [8; 18]);
}

#[test]
fn sets_that_make_no_sense_are_refused() {
    let wide = png(GrayImage::new(4, 2));
    let (train, test) = (("train/a/1.png", grey(1)), ("test/a/1.png", grey(2)));
    let both = [train.clone(), test.clone()];
    let with = |path: &'static str, bytes: &[u8]| {
        let mut all = both.to_vec();
        all.push((path, bytes.to_vec()));
        refusal(&all)
    };
    for (message, says) in [
        (
            with("train/b/x.png", &wide),
            "train/b/x.png: a picture of 2 x 4 pixels, but train/a/1.png has 2 x 3; allowed: one size",
        ),
        (
            with("train/a/1.png", &grey(1)),
            "the picture a/1.png is there twice",
        ),
        (
            with("test/z/1.png", &grey(1)),
            "the class \"z\" is in test/ only",
        ),
        (
            with("train/a/2.png", b"no picture"),
            "train/a/2.png: starts with the bytes",
        ),
        (refusal(&[train]), "no pictures in test/CLASS/"),
        (refusal(&[test]), "no pictures in train/CLASS/"),
        (refusal(&[]), "no pictures in train/CLASS/"),
    ] {
        assert!(message.contains(says), "{message}");
    }
    let resized = Decoding {
        resize: Some([5, 5]),
        ..PLAIN
    };
    let mixed = [both[0].clone(), both[1].clone(), ("train/b/x.png", wide)];
    let split = collected(&mixed, &resized).unwrap();
    assert_eq!((split.train.h, split.train.w), (5, 5));
}

#[test]
fn the_readers_mistake_is_reported_and_so_is_an_earlier_one_of_a_picture() {
    let read = |first: Vec<u8>| {
        let result = collect("set", None, &PLAIN, |sink| {
            assert!(sink.take(member("train/a/1.png", first)));
            Err(Error::input("the stream broke"))
        });
        result.unwrap_err().to_string()
    };
    assert_eq!(read(grey(1)), "the stream broke");
    assert!(read(b"x".to_vec()).contains("train/a/1.png"));
}

#[test]
fn progress_counts_and_an_interruption_stops() {
    #[derive(Default)]
    struct Watch(Mutex<Vec<usize>>, bool);
    impl Observer for Watch {
        fn loading(&self, p: &LoadProgress) {
            assert_eq!((p.label.as_str(), p.of), ("set", None));
            self.0.lock().unwrap().push(p.done);
        }
        fn interrupted(&self) -> bool {
            self.1
        }
    }
    let n = GROUP.0 + 10;
    let read = |sink: &mut Sink| {
        for i in 0..n {
            let part = if i % 2 == 0 { "train" } else { "test" };
            if !sink.take(member(&format!("{part}/a/{i}.png"), grey(1))) {
                break;
            }
        }
        Ok(())
    };
    let watch = Watch::default();
    let decoding = Decoding {
        observer: &watch,
        ..PLAIN
    };
    let split = collect("set", None, &decoding, read).unwrap();
    assert_eq!(split.train.len() + split.test.len(), n);
    assert_eq!(*watch.0.lock().unwrap(), [GROUP.0, n]);
    let watch = Watch(Default::default(), true);
    let decoding = Decoding {
        observer: &watch,
        ..PLAIN
    };
    let stopped = collect("set", None, &decoding, read);
    assert!(matches!(stopped, Err(Error::Interrupted(_))), "{stopped:?}");
    assert_eq!(*watch.0.lock().unwrap(), [GROUP.0]);
}
