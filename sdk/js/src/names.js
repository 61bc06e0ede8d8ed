// Names, as JavaScript and as WIT write them.

const KEYWORDS = new Set(
  ('as async bool borrow char constructor enum export f32 f64 flags from func future import include interface list map ' +
    'option own package record resource result s16 s32 s64 s8 static stream string tuple type u16 u32 u64 u8 use ' +
    'variant with world').split(' '),
);

const NAME = /^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/;

/** `name`, in any case, as WIT writes it, or nothing if it has no such form. */
export function kebab(name) {
  const spaced = name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1-$2')
    .replace(/_+/g, '-')
    .replace(/^-|-$/g, '')
    .toLowerCase();
  return NAME.test(spaced) ? spaced : undefined;
}

/** A name of WIT as bindings write it. */
export function camel(name) {
  return name.replace(/-([a-z0-9])/g, (_, letter) => letter.toUpperCase());
}

/** A name as it stands in WIT, where keywords are marked. */
export function escaped(name) {
  return KEYWORDS.has(name) ? `%${name}` : name;
}
