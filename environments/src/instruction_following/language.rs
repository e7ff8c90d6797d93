//! Which language an answer is in: langdetect's walk over n-grams, with a fixed seed.
//!
//! NeMo Gym leaves the generator unseeded, so that short texts get one language today and another
//! tomorrow. Here the same answer always gets the same reward.

use std::sync::LazyLock;

use langdetect::{Compat, DetectorFactory, Seed};

/// The languages that an instruction can ask for, as ISO 639-1 codes.
pub(super) const LANGUAGES: [&str; 30] = [
    "en", "es", "pt", "ar", "hi", "fr", "ru", "de", "ja", "it", "bn", "uk", "th", "ur", "ta", "te",
    "bg", "ko", "pl", "he", "fa", "vi", "ne", "sw", "kn", "mr", "gu", "pa", "ml", "fi",
];

/// The seed of each detection.
const SEED: Seed = Seed::Int(0);

/// The detector as CPython 3.12 runs it.
static DETECTOR: LazyLock<DetectorFactory> = LazyLock::new(|| {
    let mut detector = DetectorFactory::new(Compat::python(12));
    let files = DetectorFactory::builtin_files();
    detector.load_builtin(&files).expect("the profiles that come with the detector load");
    detector.seed = SEED;
    detector
});

/// Whether a text is in a language. One without any letter to tell by is in all of them.
pub(super) fn is_in(text: &str, language: &str) -> bool {
    DETECTOR.detect(text).map_or(true, |detected| detected == language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_in_its_language() {
        for (text, language) in [
            ("The cat sat quietly on the mat and looked at the rain.", "en"),
            ("Die Katze saß still auf der Matte und sah dem Regen zu.", "de"),
            ("Le chat était assis sur le tapis et regardait la pluie.", "fr"),
            ("Мы долго говорили о погоде, а потом вышли на улицу.", "ru"),
            ("बिल्ली चटाई पर चुपचाप बैठी थी और बारिश देख रही थी।", "hi"),
            ("猫は静かにマットの上に座って雨を見ていた。", "ja"),
            ("고양이가 조용히 매트 위에 앉아 비를 바라보았다.", "ko"),
        ] {
            let found: Vec<_> =
                LANGUAGES.into_iter().filter(|candidate| is_in(text, candidate)).collect();
            assert_eq!(found, [language], "{text}");
        }
    }

    #[test]
    fn a_text_without_letters_is_in_every_language() {
        for text in ["", "   ", "1234 !?", "https://example.org/a", "@@@"] {
            assert!(LANGUAGES.into_iter().all(|language| is_in(text, language)), "{text}");
        }
    }

    #[test]
    fn a_short_text_gets_the_same_language_every_time() {
        let first = DETECTOR.detect("Hello").unwrap();
        assert!((0..50).all(|_| DETECTOR.detect("Hello").unwrap() == first));
    }
}
