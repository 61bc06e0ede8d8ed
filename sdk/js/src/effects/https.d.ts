/**
 * HTTPS, by `homestar:https`. Which hosts may be reached is said where the task is run:
 * `homestar run --allow https=example.com`.
 */
export type Header = [name: string, value: string];

/** A request. Without `method` it is a GET. */
export interface Request {
  url: string;
  method?: string;
  /** `{{secret:NAME}}` in a value becomes that secret on its way out. */
  headers?: Header[];
  body?: string | Uint8Array;
  connectTimeoutMs?: number;
  timeoutMs?: number;
  /** Redirects that are followed; 10 without it. */
  redirects?: number;
  /** Most bytes of body that are taken; 16 MiB without it. */
  maxBytes?: number;
}

/** A response. 404 is one, and no error. */
export interface Response {
  status: number;
  /** Names are in lower case, and in the order in which they came. */
  headers: Header[];
  body: Uint8Array;
  /** Where it came from, after redirects. */
  url: string;
  /** The first header of this name. */
  header(name: string): string | undefined;
  /** The body as UTF-8, with U+FFFD for what isn't. */
  text(): string;
  /** The body as JSON. */
  json(): any;
}

/**
 * What fails throws an `EffectError`, whose `kind` is `denied`, `budget`, `invalid`, `name`, `connection`, `tls`, `timeout`,
 * `protocol`, `too-large` or `redirects`.
 */
declare const https: {
  /** Gets a URL. */
  get(url: string): Response;
  /** Sends a request. */
  send(request: Request): Response;
  /** Makes a response, for tests. */
  response(parts: { status?: number; headers?: Header[]; body?: string | Uint8Array; url?: string }): Response;
};
export default https;
