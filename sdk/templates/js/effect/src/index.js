// Titles of pages: an effect over HTTPS.

import https from '@homestar/sdk/https';

/**
 * The title of the page at `url`, if it has one.
 *
 * @param {string} url
 * @returns {string | undefined}
 * @throws {string}
 */
export function title(url) {
  const [, text] = https.get(url).text().match(/<title>([^]*?)<\/title>/i) ?? [];
  return text?.trim().replace(/\s+/g, ' ');
}
