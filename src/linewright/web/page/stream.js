// The stream of changes. The browser itself opens it again when it was cut, and tells
// the last record that it has seen; the server goes on from there.

/**
 * Follow the line.
 *
 * @param {{onItems: Function, onAlive: Function, onCut: Function, onLoggedOut: Function}} to
 */
export function follow(to) {
  const source = new EventSource("/events");
  source.onmessage = (event) => {
    const { seq, whole, items } = JSON.parse(event.data);
    to.onItems(items, { seq, whole });
  };
  source.addEventListener("alive", (event) => to.onAlive(JSON.parse(event.data)));
  source.onerror = async () => {
    to.onCut();
    if (source.readyState !== EventSource.CLOSED) return;
    // refused: either nobody is logged in any more, or too many look on
    const answer = await fetch("/api/about").catch(() => null);
    if (answer?.status === 401) to.onLoggedOut();
    else setTimeout(() => follow(to), 3000);
  };
  return source;
}
