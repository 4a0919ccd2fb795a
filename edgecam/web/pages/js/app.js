// The frame of the page: who we are, where we are, and what is wrong.
import { html, render, useEffect, useRef, useState } from "../vendor/htm-preact.mjs";
import { link, loadLabels, me, post, whoAmI } from "./api.js";
import { Live } from "./live.js";
import { Empty, Icon, Toasts, remembered, useStore } from "./ui.js";

const theme = remembered("theme", null);
const paint = (name) => { if (name) document.documentElement.dataset.theme = name; else delete document.documentElement.dataset.theme; };
paint(theme.get()); theme.on(paint);
const isDark = () => (theme.get() || (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark")) === "dark";

// pages other than the first are loaded when they are opened
const PAGES = [
  ["live", "Live", "live", async () => Live], ["events", "Events", "events", async () => (await import("./events.js")).Events],
  ["zones", "Zones", "zones", async () => (await import("./zones.js")).Zones], ["settings", "Settings", "settings", async () => (await import("./settings.js")).Settings],
  ["system", "System", "system", async () => (await import("./system.js")).System],
];
const where = () => { const [page = "", ...rest] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent); return { page: page || "live", rest }; };
export const go = (to) => { location.hash = `#/${to}`; };

function Shell() {
  const [at, setAt] = useState(where()), [Page, setPage] = useState(() => (at.page === "live" ? Live : null)), main = useRef(), first = useRef(true);
  const known = PAGES.find(([id]) => id === at.page), state = useStore(link), dark = useStore(theme);
  useEffect(() => { const turn = () => setAt(where()); addEventListener("hashchange", turn); return () => removeEventListener("hashchange", turn); }, []);
  useEffect(() => {
    let here = true;
    document.title = `${known ? known[1] : "Not here"} – edgecam`;
    if (known) known[3]().then((made) => here && setPage(() => made)).catch(() => here && setPage(() => Missing)); else setPage(() => Missing);
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false; scrollTo(0, 0);
    return () => { here = false; };
  }, [at.page]);
  return html`<a class="skip" href="#main" onClick=${(e) => { e.preventDefault(); main.current.focus(); }}>To the page</a>
    <div class="shell"><nav class="rail" aria-label="Pages"><img class="mark" src="/icon.svg" alt="" />
      ${PAGES.map(([id, name, icon]) => html`<a key=${id} class="tab" href=${`#/${id}`} aria-current=${id === at.page ? "page" : undefined}><${Icon} name=${icon} />${name}</a>`)}
      <span class="grow"></span><button type="button" class="tab wide-only" onClick=${() => theme.set(isDark() ? "light" : "dark")} aria-label=${isDark() ? "Light colours" : "Dark colours"} key=${dark}><${Icon} name=${isDark() ? "sun" : "moon"} /></button></nav>
      <main id="main" ref=${main} tabindex="-1">${!state.up && html`<${Away} state=${state} />`}
        ${Page ? html`<${Page} rest=${at.rest} go=${go} theme=${theme} />` : html`<div class="skeleton stage-skeleton"></div>`}</main></div>`;
}

function Away({ state }) {
  return html`<p class="banner alarm" role="alert"><span class="dot alarm beat"></span><span class="grow">The board does not answer. Trying again${state.retry_s > 1 ? ` in ${Math.round(state.retry_s)} s` : ""} …</span></p>`;
}
const Missing = () => html`<${Empty} icon="search" title="There is nothing here"><a href="#/live">Back to the live view</a></${Empty}>`;

function Login({ who, onIn }) {
  const [, secret] = (location.hash.match(/^#\/pair\/([\w-]+)$/) || []), [error, setError] = useState(""), [busy, setBusy] = useState(false), field = useRef();
  useEffect(() => field.current?.focus(), []);
  const enter = async (event) => {
    event.preventDefault(); setBusy(true); setError("");
    try {
      const password = field.current?.value;
      if (secret) await post("pair", who.has_password ? { token: secret } : { token: secret, password }); else await post("login", { password });
      history.replaceState(null, "", "#/live"); await onIn();
    } catch (problem) { setError(problem.message); if (field.current) { field.current.select(); } } finally { setBusy(false); }
  };
  const words = secret ? (who.has_password ? "Pair this browser with the board" : "Choose a password for this board") : "The board's password";
  return html`<div class="gate"><form onSubmit=${enter} aria-label=${words}><div class="row"><img src="/icon.svg" alt="" /><div><h1>edgecam</h1><p class="muted small">${location.host}</p></div></div>
    ${(!secret || !who.has_password) && html`<div class="field"><label for="password">${words}</label><input type="text" name="username" autocomplete="username" value="edgecam" hidden readonly /><input id="password" ref=${field} type="password" autocomplete=${secret ? "new-password" : "current-password"} required maxlength="256" aria-invalid=${error ? "true" : undefined} aria-describedby="problem" /></div>`}
    ${secret && who.has_password && html`<p>${words}. The code on its screen works once.</p>`}
    <p id="problem" class="error" role="alert">${error}</p><button type="submit" class="btn main" disabled=${busy}>${secret ? "Pair" : "Open"}</button></form></div>`;
}

function Later({ load, ...rest }) { const [Made, set] = useState(null); useEffect(() => { load().then((made) => set(() => made)); }, []); return Made && html`<${Made} ...${rest} />`; }

function App() {
  const who = useStore(me), [problem, setProblem] = useState(null);
  const ask = () => whoAmI().then((found) => { setProblem(null); if (found.role) loadLabels().catch(() => {}); }).catch((error) => { setProblem(error.message); setTimeout(ask, 2000); });
  useEffect(() => { ask(); }, []);
  if (!who) return problem ? html`<div class="gate"><${Empty} icon="warn" title="The board does not answer">${problem} Trying again …</${Empty}></div>` : null;
  const [, shared] = location.hash.match(/^#\/shared\/([\w-]+)$/) || [];
  if (shared) return html`<${Later} load=${async () => (await import("./clip.js")).Shared} secret=${shared} />`;
  return html`${who.role ? html`<${Shell} />` : html`<${Login} who=${who} onIn=${ask} />`}<${Toasts} />`;
}
render(html`<${App} />`, document.body);
