//! Taking the client's mask off, in place (RFC 6455 §5.3).

/// Xors `payload` with `key`; `offset` is the position of `payload[0]` in its frame.
///
/// Its own inverse. Any length and alignment; the key is turned to the offset, so that a frame may be
/// unmasked piece by piece.
pub(crate) fn unmask(payload: &mut [u8], key: [u8; 4], offset: usize) {
    let mut turned = key;
    turned.rotate_left(offset % 4);
    let [a, b, c, d] = turned;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);

    // Words of eight are what the compiler turns into vector instructions by itself.
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(turned.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_rfc() {
        let mut payload = [0x7f, 0x9f, 0x4d, 0x51, 0x58];
        unmask(&mut payload, [0x37, 0xfa, 0x21, 0x3d], 0);
        assert_eq!(&payload, b"Hello");
    }

    proptest! {
        #[test]
        fn equals_the_definition_at_any_split(
            payload in prop::collection::vec(any::<u8>(), 0..200),
            key in any::<[u8; 4]>(),
            split in any::<prop::sample::Index>(),
        ) {
            let expected: Vec<u8> = payload.iter().enumerate().map(|(i, b)| b ^ key[i % 4]).collect();
            let split = split.index(payload.len() + 1);
            let mut actual = payload;
            let (left, right) = actual.split_at_mut(split);
            unmask(left, key, 0);
            unmask(right, key, split);
            prop_assert_eq!(actual, expected);
        }
    }
}
