// Derives WIT from the types of exported functions, and the JavaScript that stands between both.

import { camel, escaped, kebab } from './names.js';
import { comment } from './source.js';

/**
 * Tells which values are of a type, in as few steps of QuickJS as it takes: `typeof` is dear there. What a test doesn't know,
 * such as NaN, and what it throws at, such as `1n`, is looked at again with care.
 */
const TESTS = {
  string: (value) => `typeof ${value} === 'string'`,
  bool: (value) => `(${value} === true || ${value} === false)`,
  f64: (value) => `${value} - 0 === ${value}`,
  f32: (value) => `${value} - 0 === ${value}`,
  u8: (value) => `(${value} & 255) === ${value}`,
  u16: (value) => `(${value} & 65535) === ${value}`,
  u32: (value) => `${value} >>> 0 === ${value}`,
  s8: (value) => `${value} << 24 >> 24 === ${value}`,
  s16: (value) => `${value} << 16 >> 16 === ${value}`,
  s32: (value) => `(${value} | 0) === ${value}`,
};

/** Types that JavaScript has one word for, by the words of ours. */
const WHOLE = ['u8', 'u16', 'u32', 's8', 's16', 's32'];
const OURS = new Map([
  ...WHOLE.map((name) => [name, plain(name)]),
  ['u64', big('u64')],
  ['s64', big('s64')],
  ['f32', plain('f32')],
  ['f64', plain('f64')],
  ['char', plain('char')],
]);

const KEYWORDS = new Map([
  ['TSStringKeyword', plain('string')],
  ['TSNumberKeyword', plain('f64')],
  ['TSBooleanKeyword', plain('bool')],
  ['TSBigIntKeyword', big('s64')],
]);

/** What reads as a stream: `for await` goes over all of them. */
const STREAMS = new Set(['AsyncGenerator', 'AsyncIterable', 'AsyncIterableIterator', 'ReadableStream']);

// A type is its WIT, and what turns an expression on the other side into one here (`in`, if anything) and back (`out`,
// which checks too: the other side takes what it gets). `test` tells whether a value is right as it is, at little cost.

function plain(wit) {
  return tested(wit, TESTS[wit], (value) => `out.${wit}(${value})`);
}

/** A type whose values stay as they are if they pass a test. */
function tested(wit, test, out, more = {}) {
  return { wit, test, out, ...more };
}

/** Gives the other side a value that came of a task: as it is, or after a closer look. */
function passed(type, value, place) {
  return type.test ? `${type.test(value)} ? ${value} : ${type.out(value, place)}` : type.out(value, place);
}

/** Longest test that stands where it is needed. A call of a function costs more than one of this length. */
const TEST_LENGTH_MAX = 400;

function big(wit) {
  return { wit, in: (value) => `big(${value})`, out: (value) => `out.${wit}(${value})` };
}

/** The interface that the exported functions of one file make. */
export class Interface {
  #types = [];
  #functions = [];
  #code = [];
  #methods = [];
  #lists = 0;
  /** What every name of WIT stands for, and the types that are known. */
  #names = new Map();
  #known = new Map();
  /** Types that are being looked at: one that leads to itself has no end in WIT. */
  #open = new Set();

  constructor(name, file) {
    this.name = name;
    this.file = file;
    /** Whether any task waits: that takes another runtime. */
    this.isAsync = false;
    for (const [name, { node }] of file.exports) {
      if (name === 'default') throw file.error(node, 'a default export has no name to be called by; export it by name');
      const found = file.exported('functions', name);
      if (found) this.#add(name, found);
    }
    if (this.#functions.length === 0) {
      throw file.error(undefined, 'no function is exported; `export function` makes one a task');
    }
  }

  /** Takes a name of WIT for `thing`. */
  #claim(file, node, text, thing) {
    const name = kebab(text);
    if (!name) {
      throw file.error(
        node,
        `\`${text}\` is no name in WIT, where each word begins with a letter and has only letters and digits`,
      );
    }
    if (this.#names.has(name) && this.#names.get(name) !== thing) {
      throw file.error(node, `two things would be called \`${name}\` in WIT; call one of them something else`);
    }
    this.#names.set(name, thing);
    return name;
  }

  // Types

  #type(file, node, what) {
    const keyword = KEYWORDS.get(node.type);
    if (keyword) return keyword;
    switch (node.type) {
      case 'TSParenthesizedType':
        return this.#type(file, node.typeAnnotation, what);
      case 'TSTypeOperator':
        if (node.operator === 'readonly') return this.#type(file, node.typeAnnotation, what);
        break;
      case 'TSArrayType':
        return this.#list(this.#type(file, node.elementType, what));
      case 'TSTupleType': {
        const types = node.elementTypes.map((one) => {
          return this.#type(file, one.type === 'TSNamedTupleMember' ? one.elementType : one, what);
        });
        if (types.length > 0) return tuple(types);
        break;
      }
      case 'TSUnionType':
        return this.#union(file, node, what);
      case 'TSTypeReference':
        return this.#reference(file, node, what);
      case 'TSTypeLiteral':
        throw file.error(node, `${what} is an object without a name; \`interface\` gives its type one`);
      case 'TSLiteralType':
        throw file.error(node, `${what} is one value; a union of several texts, with a name, is an enum`);
      case 'TSAnyKeyword':
      case 'TSUnknownKeyword':
      case 'TSObjectKeyword':
        throw file.error(node, `${what} may be anything, and a task has to say what it takes and gives`);
    }
    throw file.error(node, `${what} is of a type that WIT doesn't have`);
  }

  #reference(file, node, what) {
    const name = node.typeName.name;
    const given = (node.typeArguments ?? node.typeParameters)?.params ?? [];
    const found = file.find('types', name);
    if (found) return this.#named(found, name, what);
    if (name === 'Uint8Array') {
      const test = (value) => `${value} instanceof Uint8Array`;
      return tested('list<u8>', test, (value) => `out.bytes(${value})`, { in: (value) => `bytes(${value})` });
    }
    if ((name === 'Array' || name === 'ReadonlyArray') && given.length === 1) {
      return this.#list(this.#type(file, given[0], what));
    }
    if ((name === 'Record' || name === 'Map') && given.length === 2) {
      if (given[0].type !== 'TSStringKeyword') {
        throw file.error(node, `${what} has keys that are no \`string\`; an array of pairs may have any`);
      }
      return map(name, this.#type(file, given[1], what));
    }
    if (name === 'Promise') throw file.error(node, `${what} is a promise, and only the result of a task may be one`);
    if (STREAMS.has(name)) {
      throw file.error(node, `${what} is a stream, and only a parameter or the result of an async task may be one, of \`Uint8Array\``);
    }
    const ours = OURS.get(name);
    if (ours && given.length === 0) return ours;
    throw file.error(node, `${what} is \`${name}\`, which WIT has no type for, or which isn't declared in a file of this program`);
  }

  /** What a person declared by a name. */
  #named(found, name, what) {
    const { node, file } = found;
    if (this.#known.has(found)) return this.#known.get(found);
    if (node.typeParameters) throw file.error(node, `\`${name}\` has parameters, and no type of WIT has`);
    if (this.#open.has(found)) throw file.error(node, `\`${name}\` leads to itself, and types of WIT can't`);
    this.#open.add(found);
    const declared = node.type === 'TSTypeAliasDeclaration' ? node.typeAnnotation : node;
    let type;
    if (declared.type === 'TSInterfaceDeclaration' || declared.type === 'TSTypeLiteral') {
      type = this.#record(found, name, members(file, declared));
    } else if (declared.type === 'TSUnionType' && declared.types.every(isText)) {
      type = this.#enum(found, name, declared.types);
    } else if (declared.type === 'TSUnionType' && declared.types.every(isCase)) {
      type = this.#variant(found, name, declared.types);
    } else {
      type = this.#type(file, declared, what);
    }
    this.#open.delete(found);
    this.#known.set(found, type);
    return type;
  }

  #record(found, text, fields) {
    const { file, node, documentation } = found;
    const name = this.#claim(file, node, text, found);
    if (fields.length === 0) throw file.error(node, `\`${text}\` has no fields, and a record of WIT has one at least`);
    const lines = [...documented(documentation?.text, '    '), `    record ${escaped(name)} {`];
    const [ins, outs, tests] = [[], [], []];
    for (const field of fields) {
      if (field.type !== 'TSPropertySignature' || field.computed) {
        throw file.error(field, `\`${text}\` has more than fields, and a record of WIT hasn't`);
      }
      const key = field.key.name ?? field.key.value;
      const label = kebab(String(key));
      const what = `\`${text}.${key}\``;
      if (!label || camel(label) !== key) {
        throw file.error(field, `${what} should be called \`${camel(label ?? 'name')}\`, as bindings would`);
      }
      const inner = this.#type(file, field.typeAnnotation.typeAnnotation, what);
      const type = field.optional ? option(inner, 'undefined') : inner;
      lines.push(...documented(field.documentation ?? comment(field)?.text, '        '));
      lines.push(`        ${escaped(label)}: ${type.wit},`);
      ins.push([key, type.in ? type.in(`value.${key}`) : undefined]);
      outs.push(`${key}: at(${JSON.stringify(`.${key}`)}, () => ${type.out(`value.${key}`)})`);
      tests.push(type.test && ((value) => type.test(`${value}.${key}`)));
    }
    this.#types.push([...lines, '    }'].join('\n'));
    const word = camel(name);
    const isTurned = ins.some(([, turned]) => turned);
    if (isTurned) {
      const turned = ins.map(([key, turned]) => `${key}: ${turned ?? `value.${key}`}`);
      this.#code.push(`const in_${word} = (value) => ({ ${turned.join(', ')} });`);
    }
    this.#code.push(`const out_${word} = (value) => { out.object(value); return { ${outs.join(', ')} }; };`);
    const test = tests.every(Boolean) ? this.#test(word, (value) => tests.map((test) => test(value)).join(' && ')) : undefined;
    return tested(escaped(name), test, (value) => `out_${word}(${value})`, {
      in: isTurned ? (value) => `in_${word}(${value})` : undefined,
      isError: true,
    });
  }

  /** The test of a type that a person named: where it is needed if it is short, else a function. */
  #test(word, test) {
    if (test('value').length <= TEST_LENGTH_MAX) return (value) => `(${test(value)})`;
    this.#code.push(`const is_${word} = (value) => ${test('value')};`);
    return (value) => `is_${word}(${value})`;
  }

  #list(item) {
    let test;
    if (item.test) {
      const is = `is_list_${(this.#lists += 1)}`;
      this.#code.push(
        `const ${is} = (list) => { if (!Array.isArray(list)) return false; ` +
          `for (let at = 0; at < list.length; at += 1) { const each = list[at]; if (!(${item.test('each')})) return false; } return true; };`,
      );
      test = (value) => `${is}(${value})`;
    }
    return tested(`list<${item.wit}>`, test, (value) => `out.list(${value}, (each) => ${item.out('each')})`, {
      in: item.in && ((value) => `${value}.map((each) => ${item.in('each')})`),
    });
  }

  #enum(found, text, types) {
    const { file, node, documentation } = found;
    const name = this.#claim(file, node, text, found);
    const texts = types.map((type) => type.literal.value);
    const labels = texts.map((text) => this.#label(file, node, text));
    const lines = labels.map((label) => `        ${escaped(label)},`);
    this.#types.push(
      [...documented(documentation?.text, '    '), `    enum ${escaped(name)} {`, ...lines, '    }'].join('\n'),
    );
    this.#code.push(`const texts_${camel(name)} = ${JSON.stringify(texts)};`);
    const list = `texts_${camel(name)}`;
    const test = (value) => `${list}.includes(${value})`;
    return tested(escaped(name), test, (value) => `out.one(${value}, ${list})`, { isError: true });
  }

  /** The text by which a case is known is the same on both sides. */
  #label(file, node, text) {
    const label = kebab(text);
    if (label !== text) {
      throw file.error(node, `\`${text}\` should be written \`${label ?? 'in-small-letters'}\`, as in WIT`);
    }
    return label;
  }

  #variant(found, text, types) {
    const { file, node, documentation } = found;
    const name = this.#claim(file, node, text, found);
    const lines = [...documented(documentation?.text, '    '), `    variant ${escaped(name)} {`];
    const [ins, outs, tests] = [[], [], []];
    for (const type of types) {
      const tag = type.members.find((member) => member.key.name === 'tag');
      const val = type.members.find((member) => member.key.name === 'val');
      const label = this.#label(file, type, tag.typeAnnotation.typeAnnotation.literal.value);
      lines.push(...documented(comment(type)?.text, '        '));
      if (!val) {
        lines.push(`        ${escaped(label)},`);
        outs.push(`case '${label}': return { tag: '${label}' };`);
        tests.push((value) => `${value}.tag === '${label}'`);
        continue;
      }
      const inner = this.#type(file, val.typeAnnotation.typeAnnotation, `what \`${label}\` of \`${text}\` holds`);
      lines.push(`        ${escaped(label)}(${inner.wit}),`);
      if (inner.in) ins.push(`case '${label}': return { tag: '${label}', val: ${inner.in('value.val')} };`);
      outs.push(`case '${label}': return { tag: '${label}', val: at('.val', () => ${inner.out('value.val')}) };`);
      tests.push(inner.test && ((value) => `(${value}.tag === '${label}' && ${inner.test(`${value}.val`)})`));
    }
    this.#types.push([...lines, '    }'].join('\n'));
    const word = camel(name);
    if (ins.length > 0) {
      this.#code.push(`const in_${word} = (value) => { switch (value.tag) { ${ins.join(' ')} default: return value; } };`);
    }
    const tags = types.map((type) => tagOf(type));
    this.#code.push(
      `const out_${word} = (value) => { out.object(value); switch (value.tag) { ${outs.join(' ')} ` +
        `default: return at('.tag', () => out.one(value.tag, ${JSON.stringify(tags)})); } };`,
    );
    const test = tests.every(Boolean) ? this.#test(word, (value) => tests.map((test) => test(value)).join(' || ')) : undefined;
    return tested(escaped(name), test, (value) => `out_${word}(${value})`, {
      in: ins.length > 0 ? (value) => `in_${word}(${value})` : undefined,
      isError: true,
    });
  }

  #union(file, node, what) {
    const isNothing = ({ type }) => type === 'TSUndefinedKeyword' || type === 'TSNullKeyword';
    const nothing = node.types.find(isNothing);
    const rest = node.types.filter((type) => !isNothing(type));
    if (!nothing || rest.length === 0) {
      throw file.error(node, `${what} is one of several; \`type Name = …\` gives that a name`);
    }
    const inner = rest.length === 1 ? rest[0] : { ...node, types: rest };
    const type = this.#type(file, inner, what);
    return option(type, nothing.type === 'TSNullKeyword' ? 'null' : 'undefined');
  }

  // Functions

  #add(text, { node, documentation, file }) {
    const name = this.#claim(file, node, text, node);
    if (node.generator && !node.async) {
      throw file.error(node, `\`${text}\` is a generator; \`async function*\` makes a stream`);
    }
    if (node.typeParameters) throw file.error(node, `\`${text}\` has parameters of type, and nothing in WIT has`);
    const tags = documentation?.tags ?? [];
    const written = this.#returned(file, node, tags);
    const promised = written?.typeName?.name === 'Promise' ? this.#only(file, written, `the promise of \`${text}\``) : undefined;
    const isAsync = node.async || promised !== undefined;
    this.isAsync ||= isAsync;
    const parameters = [];
    const given = [];
    node.params.forEach((parameter, at) => {
      const { label, type } = this.#parameter(file, node, text, parameter, tags, isAsync);
      parameters.push(`${escaped(label)}: ${type.wit}`);
      given.push(type.in ? type.in(`v${at}`) : `v${at}`);
    });
    const result = this.#result(file, node, text, promised ?? written, isAsync);
    const error = this.#error(file, node, text, tags);
    if (error && node.generator) {
      throw file.error(node, `\`${text}\` has returned its stream before it throws; a plain async function can return one or throw`);
    }
    const returned = error ? `result<${result?.wit ?? '_'}, ${error.wit}>` : result?.wit;
    this.#functions.push(
      [
        ...documented(documentation?.text, '    '),
        `    ${escaped(name)}: ${isAsync ? 'async ' : ''}func(${parameters.join(', ')})${returned ? ` -> ${returned}` : ''};`,
      ].join('\n'),
    );
    const names = given.map((_, at) => `v${at}`).join(', ');
    const call = `${isAsync ? 'await ' : ''}app.${text}(${given.join(', ')})`;
    const place = `'${text} (${file.place(node)})'`;
    const method = `${isAsync ? 'async ' : ''}${camel(name)}(${names})`;
    const turn = error ? `'${error.wit}', (value) => ${error.out('value')}` : 'undefined, undefined';
    const caught = `failed(error, ${place}, ${turn}`;
    if (!result) {
      this.#methods.push(`  ${method} { try { ${call}; } catch (error) { throw ${caught}); } },`);
      return;
    }
    // `var` costs less than `let`. The stream of a task begins after it has returned, and is checked as it comes.
    const again = result.isStream ? '' : `, value, (value) => ${result.out('value', place)}`;
    const body = `value = ${call}; return ${passed(result, 'value', place)};`;
    this.#methods.push(`  ${method} { var value; try { ${body} } catch (error) { throw ${caught}${again}); } },`);
  }

  /** The type within `<…>`. */
  #only(file, node, what) {
    const given = (node.typeArguments ?? node.typeParameters)?.params ?? [];
    if (given.length === 0) throw file.error(node, `${what} doesn't say of what type it is`);
    return given[0];
  }

  /** A type that may be a stream. */
  #streamed(file, node, what, isAsync) {
    if (!STREAMS.has(node.typeName?.name)) return this.#type(file, node, what);
    const item = this.#only(file, node, what);
    if (item.typeName?.name !== 'Uint8Array') throw file.error(node, `${what} is a stream of something else than \`Uint8Array\``);
    if (!isAsync) throw file.error(node, `${what} is a stream, for which a task has to be \`async\``);
    return {
      wit: 'stream<u8>',
      isStream: true,
      // Others are read by `for await` alone, as what comes is.
      in: node.typeName.name === 'ReadableStream' ? (value) => `ReadableStream.from(${value})` : undefined,
      out: (value, place) => `streamed(${value}, ${place})`,
    };
  }

  #parameter(file, node, text, parameter, tags, isAsync) {
    const pattern = parameter.type === 'AssignmentPattern' ? parameter.left : parameter;
    if (pattern.type !== 'Identifier') {
      throw file.error(parameter, `a parameter of \`${text}\` has no name of its own`);
    }
    const what = `the parameter \`${pattern.name}\` of \`${text}\``;
    const tag = tags.find(({ tag, name }) => ['param', 'arg', 'argument'].includes(tag) && name === pattern.name);
    let written = pattern.typeAnnotation?.typeAnnotation;
    if (!file.isTyped && tag?.type) written = file.type(tag.type, node);
    if (!written) {
      const example = file.isTyped ? `${pattern.name}: string` : `@param {string} ${pattern.name}`;
      throw file.error(parameter, `${what} has no type, such as \`${example}\``);
    }
    const label = kebab(pattern.name);
    if (!label) throw file.error(parameter, `${what} has no name that WIT could have`);
    const type = this.#streamed(file, written, what, isAsync);
    return { label, type: pattern.optional || tag?.isOptional ? option(type, 'undefined') : type };
  }

  /** The type that a function says it returns. */
  #returned(file, node, tags) {
    const tag = tags.find(({ tag }) => tag === 'returns' || tag === 'return');
    return !file.isTyped && tag?.type ? file.type(tag.type, node) : node.returnType?.typeAnnotation;
  }

  #result(file, node, text, written, isAsync) {
    if (!written) {
      const example = file.isTyped ? '): string' : '@returns {string}';
      throw file.error(node, `\`${text}\` has no type for its result, such as \`${example}\``);
    }
    if (written.type === 'TSVoidKeyword' || written.type === 'TSUndefinedKeyword') return undefined;
    return this.#streamed(file, written, `the result of \`${text}\``, isAsync);
  }

  /** What a task throws stands in its comment, in either language. */
  #error(file, node, text, tags) {
    const tag = tags.find(({ tag }) => tag === 'throws' || tag === 'exception');
    if (!tag) return undefined;
    const what = `what \`${text}\` throws`;
    if (!tag.type) throw file.error(node, `${what} has no type, such as \`@throws {string}\``);
    const type = this.#type(file, file.type(tag.type, node), what);
    if (type.wit !== 'string' && !type.isError) {
      throw file.error(node, `${what} is a string, a record, or one of several by \`tag\``);
    }
    return type;
  }

  /** What the component offers, and what it asks for. */
  wit(asked) {
    const items = [...this.#types, ...this.#functions].join('\n\n');
    const name = escaped(this.name);
    return (
      `// Derived from ${this.file.name} by \`homestar build\`, which writes it anew.\n` +
      `package my:${name};\n\ninterface tasks {\n${items}\n}\n\n` +
      `world ${name} {\n${asked.map((name) => `    import ${name};\n`).join('')}    export tasks;\n}\n`
    );
  }

  /** The program that is built: `app` imports a person's, `runtime` ours. */
  javascript(app, runtime) {
    return [
      `import { at, begun, big, bytes, failed, out, streamed } from ${JSON.stringify(runtime)};`,
      `import * as app from ${JSON.stringify(app)};`,
      ...this.#code,
      'export const tasks = begun({',
      ...this.#methods,
      '});',
      '',
    ].join('\n');
  }
}

function documented(text, indent) {
  return text ? text.split('\n').map((line) => `${indent}/// ${line}`.trimEnd()) : [];
}

function tuple(types) {
  const ins = types.map((type, at) => (type.in ? type.in(`each[${at}]`) : `each[${at}]`)).join(', ');
  const outs = types.map((type, at) => `at('[${at}]', () => ${type.out(`each[${at}]`)})`).join(', ');
  const is = (value) => [
    `Array.isArray(${value})`,
    `${value}.length === ${types.length}`,
    ...types.map((type, at) => type.test?.(`${value}[${at}]`)),
  ];
  const isTested = types.every((type) => type.test);
  return tested(
    `tuple<${types.map(({ wit }) => wit).join(', ')}>`,
    isTested ? (value) => `(${is(value).join(' && ')})` : undefined,
    (value) => `((each) => [${outs}])(out.tuple(${value}, ${types.length}))`,
    { in: types.some((type) => type.in) ? (value) => `((each) => [${ins}])(${value})` : undefined },
  );
}

function map(kind, type) {
  const make = kind === 'Map' ? (entries) => `new Map(${entries})` : (entries) => `Object.fromEntries(${entries})`;
  const pair = type.in ? `.map(([key, each]) => [key, ${type.in('each')}])` : '';
  return {
    wit: `list<tuple<string, ${type.wit}>>`,
    in: (value) => make(value + pair),
    out: (value) => `out.entries(${value}, (each) => ${type.out('each')})`,
  };
}

function option(type, nothing) {
  const some = type.in ? type.in('each') : 'each';
  return tested(
    `option<${type.wit}>`,
    type.test ? (value) => `(${value} === undefined || ${value} === null || ${type.test(value)})` : undefined,
    (value) => `((each) => (each === null || each === undefined ? null : ${type.out('each')}))(${value})`,
    { in: (value) => `((each) => (each === null || each === undefined ? ${nothing} : ${some}))(${value})` },
  );
}

function isText(node) {
  return node.type === 'TSLiteralType' && node.literal.type === 'StringLiteral';
}

function isCase(node) {
  return node.type === 'TSTypeLiteral' && tagOf(node) !== undefined;
}

function tagOf(node) {
  const tag = node.members.find((member) => member.key?.name === 'tag');
  const type = tag?.typeAnnotation?.typeAnnotation;
  return type && isText(type) ? type.literal.value : undefined;
}

/** The members of an interface, those of what it extends first. */
function members(file, node) {
  if (node.type === 'TSTypeLiteral') return node.members;
  const inherited = (node.extends ?? []).flatMap((one) => {
    const name = (one.expression ?? one.typeName)?.name;
    const found = name && file.find('types', name);
    if (found?.node.type !== 'TSInterfaceDeclaration') {
      throw file.error(node, `\`${node.id.name}\` extends what is no interface of this program`);
    }
    return members(found.file, found.node);
  });
  return [...inherited, ...node.body.body];
}
