// Asks for a page as any program for the web does. The engine turns fetch into wasi:http.

export async function page(url) {
  try {
    const response = await fetch(url);
    const text = await response.text();
    return `${response.status} ${text.slice(0, 64)}`;
  } catch (error) {
    throw String(error);
  }
}
