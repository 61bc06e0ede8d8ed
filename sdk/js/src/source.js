// The declarations of a program's files, whichever file they stand in.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, relative, resolve } from 'node:path';
import { parse, parseExpression } from '@babel/parser';

/** What can't be built, and where. */
export class DeriveError extends Error {
  constructor(place, message) {
    super(`${place}: ${message}`);
  }
}

const ENDINGS = ['', '.ts', '.js', '.mjs', '.mts', '/index.ts', '/index.js'];

/** Files that were read, by their paths. */
export class Sources {
  #files = new Map();

  file(path) {
    let file = this.#files.get(path);
    if (!file) {
      file = new File(path, this);
      this.#files.set(path, file);
    }
    return file;
  }
}

export class File {
  constructor(path, sources) {
    this.path = path;
    this.sources = sources;
    this.name = relative(process.cwd(), path);
    this.text = readFileSync(path, 'utf8');
    this.isTyped = /\.m?ts$/.test(path);
    /** Functions, types and what is imported, by the names that they have here. */
    this.functions = new Map();
    this.types = new Map();
    this.imports = new Map();
    /** What others may import: a name of this file, or of another. */
    this.exports = new Map();
    this.#read();
  }

  #read() {
    let program;
    try {
      const plugins = this.isTyped ? ['typescript'] : [];
      ({ program } = parse(this.text, { sourceType: 'module', plugins, attachComment: true }));
      this.comments = parse(this.text, { sourceType: 'module', plugins }).comments;
    } catch (error) {
      throw new DeriveError(`${this.name}:${error.loc?.line ?? 1}`, error.message.replace(/ \(\d+:\d+\)$/, ''));
    }
    for (const statement of program.body) this.#statement(statement);
    if (!this.isTyped) this.#typedefs();
  }

  #statement(node) {
    const from = node.source?.value;
    if (node.type === 'ImportDeclaration') {
      for (const one of node.specifiers) {
        const name = one.type === 'ImportSpecifier' ? one.imported.name : undefined;
        this.imports.set(one.local.name, { from, name });
      }
    } else if (node.type === 'ExportNamedDeclaration') {
      if (node.declaration) {
        for (const name of this.#declaration(node.declaration, node)) this.exports.set(name, { name });
      }
      for (const one of node.specifiers) {
        this.exports.set(one.exported.name, { from, name: one.local.name, node });
      }
    } else if (node.type === 'ExportDefaultDeclaration') {
      this.exports.set('default', { node });
    } else if (node.type === 'ExportAllDeclaration') {
      throw this.error(node, `\`export * from '${from}'\` doesn't say what is exported; name it`);
    } else {
      this.#declaration(node, node);
    }
  }

  /** Takes note of what a statement declares, and returns the names. */
  #declaration(node, commented) {
    const documentation = comment(commented) ?? comment(node);
    if (node.type === 'FunctionDeclaration') {
      this.functions.set(node.id.name, { node, documentation, file: this });
      return [node.id.name];
    }
    if (node.type === 'TSInterfaceDeclaration' || node.type === 'TSTypeAliasDeclaration') {
      this.types.set(node.id.name, { node, documentation, file: this });
      return [];
    }
    if (node.type !== 'VariableDeclaration') return node.id?.name ? [node.id.name] : [];
    for (const { id, init } of node.declarations) {
      const isFunction = init?.type === 'ArrowFunctionExpression' || init?.type === 'FunctionExpression';
      if (isFunction) this.functions.set(id.name, { node: init, documentation, file: this });
    }
    return node.declarations.map(({ id }) => id.name);
  }

  /** In JavaScript, types are declared in comments. */
  #typedefs() {
    for (const { value, loc } of this.comments) {
      if (!value.startsWith('*')) continue;
      const { text, tags } = parsed(value);
      const typedef = tags.find(({ tag }) => tag === 'typedef');
      if (!typedef) continue;
      const place = { loc };
      const properties = tags.filter(({ tag }) => tag === 'property' || tag === 'prop');
      const typed = typedef.type && !/^[oO]bject$/.test(typedef.type) && this.type(typedef.type, place);
      const node = typed || {
        type: 'TSTypeLiteral',
        loc,
        members: properties.map((property) => ({
          type: 'TSPropertySignature',
          key: { type: 'Identifier', name: property.name },
          optional: property.isOptional,
          typeAnnotation: { typeAnnotation: this.type(property.type, place) },
          documentation: property.text,
          loc,
        })),
      };
      const documentation = { text: text || typedef.text, tags: [] };
      this.types.set(typedef.name, { node, documentation, file: this });
    }
  }

  /** The type in the braces of a comment. */
  type(text, place) {
    try {
      const { typeAnnotation } = parseExpression(`null as (${text})`, { plugins: ['typescript'] });
      return located(typeAnnotation, place.loc);
    } catch {
      throw this.error(place, `\`${text}\` can't be read as a type`);
    }
  }

  place(node) {
    return `${this.name}:${node?.loc?.start.line ?? 1}`;
  }

  error(node, message) {
    return new DeriveError(this.place(node), message);
  }

  /** Finds what `name` stands for here: `kind` is `functions` or `types`. */
  find(kind, name) {
    const own = this[kind].get(name);
    if (own) return own;
    const imported = this.imports.get(name);
    return imported?.name && this.other(imported.from)?.exported(kind, imported.name);
  }

  /** Finds what others get from here by `name`. */
  exported(kind, name) {
    const { from, name: own } = this.exports.get(name) ?? { name };
    return from ? this.other(from)?.exported(kind, own) : own && this.find(kind, own);
  }

  /** The file that an import leads to, if it is one of the program's own. */
  other(from) {
    if (!from.startsWith('.')) return undefined;
    const base = resolve(dirname(this.path), from);
    // A file of TypeScript is imported by the name that it will have in JavaScript.
    const bases = [base, base.replace(/\.(m?)js$/, '.$1ts')];
    const paths = bases.flatMap((base) => ENDINGS.map((ending) => base + ending));
    const path = paths.find((path) => /\.m?[jt]s$/.test(path) && existsSync(path));
    return path && this.sources.file(path);
  }
}

/** What stands in a comment of a declaration. */
export function comment(node) {
  const last = node.leadingComments?.at(-1);
  return last?.type === 'CommentBlock' && last.value.startsWith('*') ? parsed(last.value) : undefined;
}

/** A comment as its text and its tags: `@param {type} name text`. */
export function parsed(value) {
  const lines = value.split('\n').map((line) => line.replace(/^\s*\*? ?/, '').trimEnd());
  const [text, ...tags] = `\n${lines.join('\n')}`.split(/\n(?=@\w)|[ \t]+(?=@(?:param|arg|argument|prop|property|returns?|throws)\s*\{)/);
  return { text: text.trim(), tags: tags.map(tagged) };
}

function tagged(text) {
  const [, tag, rest] = text.match(/^@(\w+)\s*([^]*)$/);
  const { type, behind } = braced(rest);
  const named = ['param', 'arg', 'argument', 'property', 'prop', 'typedef'].includes(tag);
  const [, name, words] = named ? behind.match(/^(\[[^\]]*\]|[\w$.]*)\s*-?\s*([^]*)$/) : [, '', behind];
  const isOptional = name.startsWith('[');
  return { tag, type, name: name.replace(/^\[|[=\]].*$/g, ''), isOptional, text: words.trim() };
}

/** Splits `{type} text`, where the type may have braces of its own. */
function braced(text) {
  if (!text.startsWith('{')) return { behind: text };
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '{') depth += 1;
    if (text[at] === '}') depth -= 1;
    if (depth === 0) return { type: text.slice(1, at).trim(), behind: text.slice(at + 1).trim() };
  }
  return { behind: text };
}

/** What was read of a comment stands where the comment does. */
function located(node, loc) {
  if (Array.isArray(node)) return node.map((one) => located(one, loc));
  if (node === null || typeof node !== 'object') return node;
  const entries = Object.entries(node).map(([key, value]) => [key, key === 'loc' ? loc : located(value, loc)]);
  return Object.fromEntries(entries);
}
