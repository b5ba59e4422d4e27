// Walks through the bridge's page as an operator does: node walk.mjs URL NODE_MODULES SHOTS, the token on standard input.
// Fails loudly at whatever is not as it should be, also at what a screen reader would stumble over.

import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [url, modules, shots] = process.argv.slice(2);
const token = readFileSync(0, "utf8").trim();
const require = createRequire(`${modules}/`);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
mkdirSync(shots, { recursive: true });

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu",
  "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
const page = await context.newPage();
page.setDefaultTimeout(20_000);
const troubles = [];
// A refusal is a failed load to the browser; the page shows it, and the walk looks there.
page.on("console", (message) => { if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) troubles.push(message.text()); });
page.on("pageerror", (error) => troubles.push(String(error)));

function check(is, what) {
  if (!is) throw new Error(`not so: ${what}`);
}

const shot = (name) => page.screenshot({ path: `${shots}/${name}.png` });

// What a screen reader or a keyboard cannot use. The checker is put in past the page's own policy, by the browser's tools.
async function audit(where) {
  const found = await violations();
  check(Array.isArray(found) && found.length === 0, `${where} is accessible: ${JSON.stringify(found)}`);
}

async function violations() {
  const session = await context.newCDPSession(page);
  await session.send("Page.setBypassCSP", { enabled: true });
  await session.send("Runtime.evaluate", { expression: axe });
  const { result } = await session.send("Runtime.evaluate", { awaitPromise: true, returnByValue: true,
    expression: "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa'] }).then((found) => found.violations.map((v) => v.id + ': ' + v.nodes.map((n) => n.html).join(' | ')))" });
  await session.detach();
  return result.value;
}

try {
  await page.goto(url);
  await page.getByLabel("Token").fill("mst_wrong_token");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText("unknown, revoked or has ended").waitFor();
  await page.evaluate(() => document.getElementById("main").append(document.createElement("input")));
  check((await violations()).some((found) => found.startsWith("label")), "the checker finds an input without a label");
  await page.evaluate(() => document.getElementById("main").lastElementChild.remove());
  await audit("signing in");
  await page.getByLabel("Token").fill(token);
  await page.keyboard.press("Enter");
  await page.getByText("There is no cluster yet.").waitFor();
  const stored = await page.evaluate(() => [localStorage.length, sessionStorage.length, document.cookie]);
  check(stored[0] === 0 && stored[1] === 0 && stored[2] === "", `nothing is in reach of scripts: ${stored}`);

  // A cluster: the plan is shown before anything is made.
  await page.getByRole("link", { name: "New cluster" }).click();
  await page.getByLabel("Name", { exact: true }).fill("demo");
  await page.getByLabel("Orchestrator").selectOption("sim");
  await page.getByLabel("Infrastructure").selectOption("sim");
  await page.getByLabel("Workers").fill("3");
  await audit("the form of a cluster");
  await page.getByRole("button", { name: "Show the plan" }).click();
  const plan = page.getByRole("dialog");
  await plan.getByText("create machine/worker-3").waitFor();
  await shot("plan");
  await audit("the plan");
  await plan.getByRole("button", { name: "Back" }).click();
  const none = await page.evaluate(() => fetch("/v1/orchestrators").then((answer) => answer.json()));
  check(none.items.length === 0, "a plan that was not confirmed makes nothing");
  await page.getByRole("button", { name: "Show the plan" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();

  // Its steps are performed before one's eyes, until it is ready, without a reload.
  await page.getByRole("heading", { name: "demo", exact: true }).waitFor();
  await page.getByText("The plan, as it is performed").waitFor();
  await page.getByRole("progressbar").first().waitFor();
  await shot("creating");
  await page.getByLabel("State").locator(".phase", { hasText: /^ready$/ }).waitFor();
  await page.getByText("3 of 3 ready").waitFor();

  // A service from the catalog, by a form made of the template's parameters.
  await page.getByRole("link", { name: "Catalog" }).click();
  await audit("the catalog");
  await shot("catalog");
  await page.getByRole("region", { name: "hello" }).getByRole("button", { name: "Use" }).click();
  await page.getByLabel("Name", { exact: true }).fill("greeter");
  await page.getByRole("button", { name: "Show what will be made" }).click();
  await page.getByRole("dialog").getByText("service greeter from image").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
  await page.getByRole("link", { name: "greeter" }).click();
  await page.locator(".phase", { hasText: /^running$/ }).first().waitFor();
  await page.getByRole("log").getByText(/\S/).first().waitFor();
  await audit("a service");
  await shot("service");

  // One that is spelt out, and a refusal that names the field.
  await page.getByRole("link", { name: "demo" }).first().click();
  await page.getByRole("link", { name: "New service" }).click();
  await page.getByLabel("Name", { exact: true }).fill("web");
  await page.getByLabel("Image").fill("web:1");
  await page.getByLabel("Copies").fill("2");
  await page.getByRole("button", { name: "Show what will be made" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).click();
  await page.getByRole("row", { name: /web/ }).getByText("2/2").first().waitFor();

  // Scaled, with the plan first; cancelled while it runs, for which it must be long.
  await page.getByRole("button", { name: "Scale" }).click();
  await page.getByRole("dialog").getByLabel("Workers").fill("150");
  await page.getByRole("dialog").getByRole("button", { name: "Show the plan" }).click();
  await page.getByRole("dialog").getByText("create machine/worker-150").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Scale", exact: true }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("what was asked for before is restored").waitFor();
  await page.getByRole("link", { name: "Operations" }).click();
  await page.getByRole("group", { name: "cluster-scale demo" }).getByText("cancelled", { exact: false }).first().waitFor();
  await audit("operations");
  await page.getByRole("link", { name: "Events" }).click();
  await page.getByRole("row").nth(5).waitFor();
  await audit("events");
  for (const place of ["Services", "Hosts", "Containers", "System"]) {
    await page.getByRole("link", { name: place, exact: true }).click();
    await page.getByRole("table").first().waitFor();
    await audit(place);
  }

  // The keyboard alone, the dark, and a phone.
  await page.getByRole("link", { name: "Clusters", exact: true }).click();
  await page.getByRole("link", { name: "demo" }).focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("State").locator(".phase", { hasText: /^ready$/ }).waitFor();
  await shot("cluster");
  await page.emulateMedia({ colorScheme: "dark" });
  await audit("the dark");
  await shot("dark");
  await page.setViewportSize({ width: 375, height: 800 });
  const width = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  check(width[0] <= width[1], `nothing is wider than a phone: ${width}`);
  await shot("phone");
  await page.setViewportSize({ width: 1280, height: 860 });

  // Deleting says what goes, and wants the name.
  await page.getByRole("button", { name: "Delete" }).click();
  const goes = page.getByRole("dialog");
  await goes.getByText("service greeter").waitFor();
  check(await goes.getByRole("button", { name: "Delete" }).isDisabled(), "without the name it cannot be confirmed");
  await goes.getByLabel("Write demo to confirm").fill("demo");
  await shot("delete");
  await goes.getByRole("button", { name: "Delete" }).click();
  await page.getByText("There is no such cluster (any more).").waitFor();

  await page.goto(`${url}/page/api.html`);
  await page.getByText("createOrchestratorService").first().waitFor();
  await page.goto(url);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();
  const after = await page.evaluate(() => fetch("/v1/orchestrators").then((answer) => answer.status));
  check(after === 401, `the session is over: ${after}`);
  check(troubles.length === 0, `the console is silent: ${troubles.join("; ")}`);
  console.log("the walk is done");
} catch (error) {
  await shot("failed").catch(() => {});
  console.error(String(error.stack ?? error));
  console.error(`console: ${troubles.join("; ")}`);
  console.error(await page.locator("main").innerText().catch(() => "no page"));
  process.exitCode = 1;
} finally {
  await browser.close();
}
