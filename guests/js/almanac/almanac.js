// An effect that offers acme:almanac/almanac, as guests/rust/almanac does in Rust.

export const almanac = {
  today(place) {
    if (place === 'Bergen') {
      return { temperature: 8, chanceOfRain: 0.7 };
    }
    throw `the almanac does not know ${place}`;
  },
};
