// An event's picture, or the icon of its kind. The picture of an event of this moment may not be written yet: it is asked for again.
import { html, useState } from "../vendor/htm-preact.mjs";
import { colourOf } from "./api.js";
import { Icon, iconOf } from "./ui.js";

export function Thumb({ item, height = 144, picture = item.snapshot && `/api/events/${item.id}/snapshot.jpg?h=${height}` }) {
  const [tries, setTries] = useState(0), [missing, setMissing] = useState(false);
  const fail = () => { setMissing(true); if (tries < 3 && Date.now() / 1000 - item.start_time < 60) setTimeout(() => { setTries(tries + 1); setMissing(false); }, 2000); };
  return html`<span class="thumb" style=${{ "--tone": colourOf(item.label) }}>${picture && !missing ? html`<img key=${tries} src=${picture} alt="" loading="lazy" decoding="async" onError=${fail} />` : html`<${Icon} name=${iconOf(item)} />`}</span>`;
}
