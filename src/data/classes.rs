//! The classes of a set whose files have labels and no list of classes.

use super::dataset::{Dataset, Split};
use crate::error::{Error, Result};

/// Most classes or ranges of classes that a sentence lists.
const LISTED: usize = 6;

/// Number of classes of parts, each a name for messages and its labels: one more than the largest
/// label.
///
/// # Errors
/// More classes than there are images: labels that are numbers of something else.
pub fn count(parts: &[(String, Vec<u16>)]) -> Result<usize> {
    let images: usize = parts.iter().map(|(_, labels)| labels.len()).sum();
    let mut most = 0;
    for (name, labels) in parts {
        for (i, &label) in labels.iter().enumerate() {
            if usize::from(label) >= images {
                return Err(Error::input(format!(
                    "{name}: label of image {i} is {label}, so there are at least {} classes for {images} \
                     images; allowed: classes from 0 on, each with an image",
                    u32::from(label) + 1
                )));
            }
            most = most.max(usize::from(label) + 1);
        }
    }
    Ok(most)
}

impl Split {
    /// What is strange about the classes, in words: those without an image to learn from (labels that
    /// are counted from 1 leave class 0 empty), and those without a test image.
    pub fn remarks(&self) -> Vec<String> {
        let of = |d: &Dataset, what: &str, so: &str| {
            let counts = d.class_counts();
            let empty: Vec<usize> = (0..counts.len()).filter(|&c| counts[c] == 0).collect();
            (!empty.is_empty()).then(|| {
                format!(
                    "{}: {} of {} classes without a {what} image: {}{so}",
                    d.name,
                    empty.len(),
                    d.classes,
                    ranges(&empty)
                )
            })
        };
        let zero = self.train.class_counts().first() == Some(&0);
        let so = match zero {
            true => " (classes are counted from 0)",
            false => "",
        };
        let train = of(&self.train, "training", so);
        train
            .into_iter()
            .chain(of(&self.test, "test", ""))
            .collect()
    }
}

/// `0, 3 to 5`, shortened.
fn ranges(sorted: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for &n in sorted {
        match parts.last_mut() {
            Some((_, end)) if *end + 1 == n => *end = n,
            _ => parts.push((n, n)),
        }
    }
    let more = parts.len() > LISTED;
    let told = parts.iter().take(LISTED).map(|&(a, b)| match b - a {
        0 => a.to_string(),
        1 => format!("{a}, {b}"),
        _ => format!("{a} to {b}"),
    });
    let mut text = told.collect::<Vec<_>>().join(", ");
    if more {
        text += ", ...";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str, labels: &[u16], classes: usize) -> Dataset {
        let images = vec![0u8; labels.len()];
        Dataset::new(name, images, labels.to_vec(), (1, 1, 1), classes, 255).unwrap()
    }

    #[test]
    fn labels_that_are_no_classes_are_refused() {
        let part = |labels: &[u16]| ("l.npy".to_string(), labels.to_vec());
        assert_eq!(count(&[part(&[0, 1]), part(&[2])]).unwrap(), 3);
        let message = count(&[part(&[0, 1]), part(&[1, 60_002])])
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "l.npy: label of image 1 is 60002, so there are at least 60003 classes for 4 images; \
             allowed: classes from 0 on, each with an image"
        );
    }

    #[test]
    fn classes_without_images_are_named() {
        let split = |train: &[u16], test: &[u16], classes| {
            Split::new(set("a", train, classes), set("b", test, classes)).unwrap()
        };
        assert_eq!(split(&[0, 1, 2], &[2, 1, 0], 3).remarks(), [""; 0]);
        assert_eq!(
            split(&[1, 2], &[2, 1], 3).remarks(),
            [
                "a: 1 of 3 classes without a training image: 0 (classes are counted from 0)",
                "b: 1 of 3 classes without a test image: 0"
            ]
        );
        assert_eq!(
            split(&[0, 4], &[0, 1, 2, 3, 4], 9).remarks(),
            [
                "a: 7 of 9 classes without a training image: 1 to 3, 5 to 8",
                "b: 4 of 9 classes without a test image: 5 to 8"
            ]
        );
    }
}
