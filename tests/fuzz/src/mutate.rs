//! Changes of a text: some blind, some with the tokens of the languages that the engine reads.

/// What stands between the words of a text, and what has surprised parsers before.
const TOKENS: [&str; 40] = [
    "{",
    "}",
    "[",
    "]",
    "\"",
    ":",
    ",",
    "null",
    "true",
    "-1",
    "1e309",
    "18446744073709551616",
    "0.1",
    "\\u0000",
    "\\ud800",
    "\u{202e}",
    "\u{feff}",
    "{{",
    "}}",
    "{%",
    "%}",
    "|",
    "~",
    "&a ",
    "*a",
    "<<: ",
    "- ",
    "\n",
    "\t",
    "  ",
    "!!binary ",
    "'",
    "#",
    "|length",
    " is defined",
    "[0]",
    "..",
    "%00",
    "\r\n",
    "é",
];
/// Changes of one input.
const CHANGES: u64 = 6;
/// Longest piece that a change copies, in bytes.
const PIECE_BYTES: u64 = 512;
/// How often a token is repeated at most, for what is nested.
const REPEATS: u64 = 200;

/// A source of inputs: equal seeds give equal inputs.
#[derive(Debug)]
pub struct Mutator(u64);

impl Mutator {
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// splitmix64.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound.max(1)
    }

    /// A number below `bound`, or 0.
    pub fn index(&mut self, bound: usize) -> usize {
        let index = self.below(u64::try_from(bound).unwrap_or(u64::MAX));
        usize::try_from(index).unwrap_or_default()
    }

    /// One text of the corpus, changed up to `CHANGES` times.
    pub fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut text = corpus[self.index(corpus.len())].clone();
        for _ in 0..=self.below(CHANGES) {
            self.change(&mut text, corpus);
        }
        text
    }

    fn change(&mut self, text: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        let at = self.index(text.len() + 1);
        match self.below(7) {
            0 if at < text.len() => text[at] ^= 1 << self.below(8),
            1 => {
                let piece = self.piece(text);
                text.drain(piece);
            }
            2 => {
                let piece = self.piece(text);
                let copy = text[piece].to_vec();
                text.splice(at..at, copy);
            }
            3 => {
                let other = &corpus[self.index(corpus.len())];
                let piece = self.piece(other);
                text.splice(at..at, other[piece].to_vec());
            }
            4 => {
                let (token, repeats) = (TOKENS[self.index(TOKENS.len())], self.below(REPEATS));
                let many = if self.below(8) == 0 { repeats } else { 1 };
                (0..many).for_each(|_| drop(text.splice(at..at, token.bytes())));
            }
            5 => {
                // A word is replaced by a token.
                let end = text[at..]
                    .iter()
                    .position(|byte| !byte.is_ascii_alphanumeric())
                    .map_or(text.len(), |length| at + length);
                let token = TOKENS[self.index(TOKENS.len())];
                text.splice(at..end, token.bytes());
            }
            _ => text.truncate(at),
        }
    }

    fn piece(&mut self, text: &[u8]) -> std::ops::Range<usize> {
        let from = self.index(text.len() + 1);
        let length = usize::try_from(self.below(PIECE_BYTES)).unwrap_or_default();
        from..(from + length).min(text.len())
    }
}
