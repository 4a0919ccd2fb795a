// An event's picture, or the icon of its kind. That of an event of this moment may not be written yet: then the event is asked for again.
import { html, useEffect, useState } from "../vendor/htm-preact.mjs";
import { colourOf, get } from "./api.js";
import { Icon, iconOf } from "./ui.js";

export function useHasPicture(item) {
  const [there, setThere] = useState(false);
  useEffect(() => {
    if (item.has_picture || !item.snapshot) return undefined;
    let timer = 0, tries = 0;
    const later = () => { if (tries++ < 4 && Date.now() / 1000 - item.start_time < 60) timer = setTimeout(ask, 500 * tries); };
    const ask = () => get(`events/${item.id}`).then((found) => found.has_picture ? setThere(true) : later()).catch(() => {});
    later();
    return () => clearTimeout(timer);
  }, [item.id, item.has_picture, item.snapshot]);
  return item.has_picture || there;
}

export function Thumb({ item, height = 144, picture }) {
  const kept = useHasPicture(item), [broken, setBroken] = useState(false), src = picture || (kept && `/api/events/${item.id}/snapshot.jpg?h=${height}`);
  return html`<span class="thumb" style=${{ "--tone": colourOf(item.label) }}>${src && !broken ? html`<img src=${src} alt="" loading="lazy" decoding="async" onError=${() => setBroken(true)} />` : html`<${Icon} name=${iconOf(item)} />`}</span>`;
}
