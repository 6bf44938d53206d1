//! Random recordings, and how they are read.

use bitspike::events::{
    Chip, Compression, Convention, Error, Event, Events, Format, Meta, Options, Reader, Report,
    read, write,
};
use proptest::prelude::*;

/// A format with the options that change its bytes.
pub(crate) fn formats() -> impl Strategy<Value = (Format, Options)> {
    let chips = [Chip::Dvs128, Chip::Davis240, Chip::Davis346, Chip::Davis640];
    let conventions = [Convention::Address, Convention::Jaer, Convention::Tonic];
    let compressions = match cfg!(feature = "compression") {
        true => vec![Compression::None, Compression::Lz4, Compression::Zstd],
        false => vec![Compression::None],
    };
    (
        prop::sample::select(Format::ALL.to_vec()),
        prop::sample::select(chips.to_vec()),
        prop::sample::select(conventions.to_vec()),
        prop::sample::select(compressions),
        any::<bool>(),
    )
        .prop_map(|(format, chip, convention, compression, high_first)| {
            let options = Options {
                format: (format == Format::Nmnist).then_some(format),
                chip: Some(chip),
                convention,
                high_first: Some(high_first),
                compression,
            };
            (format, options)
        })
}

/// One more than the largest coordinates of a format.
pub(crate) fn limits(format: Format, options: &Options) -> (u16, u16) {
    match format {
        Format::Nmnist => (256, 240),
        Format::Aedat2 => options.chip.expect("a chip").size(),
        Format::Aedat31 | Format::Aedat4 => (1 << 15, 1 << 15),
        Format::Dat => (1 << 14, 1 << 14),
        _ => (1 << 11, 1 << 11),
    }
}

/// Bursts of events of one row, time and polarity, whose columns ascend or do not; silences in which the
/// clocks of most formats wrap.
pub(crate) fn events(
    format: Format,
    options: Options,
    bursts: usize,
) -> impl Strategy<Value = Events> {
    let (width, height) = limits(format, &options);
    let longest: i64 = if format == Format::Nmnist {
        1 << 26
    } else {
        1 << 30
    };
    let silence = prop_oneof![
        4 => Just(0),
        4 => 1_i64..5000,
        1 => 1..1_i64 << 24,
        1 => longest / 2..longest,
    ];
    let burst = (
        silence,
        0..width,
        0..height,
        any::<bool>(),
        any::<u32>(),
        any::<u32>(),
        any::<bool>(),
    );
    prop::collection::vec(burst, 0..bursts).prop_map(move |bursts| {
        let (mut t, mut events) = (0_i64, Vec::new());
        for (silence, x, y, p, mask, thin, ascends) in bursts {
            t += silence;
            let pixels = (0..32).filter(|i| mask & thin >> i & 1 == 1);
            let mut columns: Vec<_> = pixels.map(|i| x.saturating_add(i)).collect();
            columns.retain(|x| *x < width);
            if !ascends {
                columns.reverse();
            }
            events.extend(columns.into_iter().map(|x| Event { t, x, y, p }));
        }
        events.into_iter().collect()
    })
}

/// A recording of a random format.
pub(crate) fn recordings(bursts: usize) -> impl Strategy<Value = (Format, Options, Events)> {
    formats().prop_flat_map(move |(format, options)| {
        let events = events(format, options, bursts);
        events.prop_map(move |events| (format, options, events))
    })
}

/// The bytes of events.
pub(crate) fn written(format: Format, options: &Options, events: &Events) -> Vec<u8> {
    write(events.columns(), format, Some((128, 128)), options).expect("events of the format")
}

/// What comes out of pieces.
pub(crate) type Read = (Result<(), Error>, Events, Option<Meta>, Report);

/// Reads pieces, one after another.
pub(crate) fn in_pieces<'a>(options: &Options, mut pieces: impl Iterator<Item = &'a [u8]>) -> Read {
    let (mut reader, mut events) = (Reader::new(*options), Events::default());
    let pushed = pieces.try_for_each(|piece| reader.push(piece, &mut events));
    let result = pushed.and_then(|()| reader.finish(&mut events));
    (result, events, reader.meta().cloned(), reader.report())
}

/// Reads all at once.
pub(crate) fn whole(bytes: &[u8], options: &Options) -> (Events, Report) {
    let (events, _, report) = read(bytes, options).expect("a recording");
    (events, report)
}
