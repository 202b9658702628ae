// The page in Debian's Chromium: upload, ask, stream, stop, seek, plan, reload, error shown, dark, phone.
// usage: node page_test.mjs VL3 [FOLDER for screenshots]; playwright-core is looked for in $VL3_PLAYWRIGHT.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import assert from "node:assert/strict";
import path from "node:path";

const SKIPPED = 77;
const skip = (reason) => { console.log(`skipped: ${reason}`); process.exit(SKIPPED); };
let chromium;
try {
  const home = process.env.VL3_PLAYWRIGHT ?? "/opt/playwright";
  ({ chromium } = createRequire(path.join(home, "package.json"))("playwright-core"));
} catch { skip("no playwright-core (npm install playwright-core; set VL3_PLAYWRIGHT)"); }
const browserPath = ["/usr/bin/chromium", "/usr/bin/google-chrome"].find(existsSync);
if (!browserPath) skip("no Chromium");

const root = path.resolve(import.meta.dirname, "../..");
const media = (name) => path.join(root, "examples/media", name);
const shots = process.argv[3];
if (shots) mkdirSync(shots, { recursive: true });

function startServer() {
  const server = spawn(process.argv[2], ["serve", "--model", path.join(root, "tests/data/seeded_tiny"), "--port", "0", "--dtype", "float32", "--quiet", "--api-key", "secret"], { stdio: ["ignore", "ignore", "pipe"] });
  return new Promise((resolve, reject) => {
    server.stderr.on("data", (text) => {
      const found = /at (http:\S+)/.exec(text);
      if (found) resolve({ server, url: found[1] });
    });
    server.on("exit", (status) => reject(new Error(`vl3 serve ended with ${status}`)));
  });
}

const { server, url } = await startServer();
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"] });
const context = await browser.newContext({ viewport: { width: 1000, height: 900 }, permissions: ["camera", "clipboard-read", "clipboard-write"] });
const page = await context.newPage();
const complaints = [], outside = [];
page.on("pageerror", (error) => complaints.push(String(error)));
page.on("console", (message) => { if (message.type() === "error" && !/status of (401|4\d\d)/.test(message.text())) complaints.push(message.text()); });
page.on("request", (request) => { if (!/^(http:\/\/127\.0\.0\.1|blob:|data:)/.test(request.url())) outside.push(request.url()); });
const shot = (name) => shots && page.screenshot({ path: path.join(shots, `${name}.png`) });
const status = (text) => page.locator("#status", { hasText: text }).waitFor({ timeout: 60000 });
let step = "";

try {
  step = "the key is asked for";
  await page.goto(url);
  await page.locator("#error", { hasText: "API key" }).waitFor();
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("API key").fill("secret");
  await page.getByLabel("Temperature").fill("0");
  await page.getByLabel("Most answer tokens").fill("40");
  await page.getByRole("button", { name: "Done" }).click();
  await page.locator("#model", { hasText: "tiny" }).waitFor();
  await shot("empty");

  step = "upload, plan, ask by keyboard, stream";
  await page.locator("#files").setInputFiles([media("moving.mp4"), media("shapes.png")]);
  assert.equal(await page.locator("#attachments li").count(), 2);
  await page.getByRole("button", { name: "Plan" }).click();
  await page.locator("#plan", { hasText: "prompt tokens" }).waitFor({ timeout: 60000 });
  await shot("plan");
  await page.getByLabel("Question").fill("What happens?");
  await page.keyboard.press("Enter");
  await status("Answer complete.");
  const first = await page.locator(".message.assistant .text").textContent();
  assert.ok(first.length > 0);
  assert.match(await page.locator(".message.assistant .tools").textContent(), /40 answer tokens/);

  step = "frames on a timeline, seek";
  const frames = page.locator(".timeline button");
  assert.equal(await frames.count(), 4);
  await frames.nth(2).click();
  assert.equal(await page.locator(".media video").evaluate((video) => video.currentTime), 2);
  await page.waitForTimeout(1500);
  await shot("answer");

  step = "a time in an answer seeks";
  const sought = await page.evaluate(async () => {
    const { withTimes } = await import("./timeline.js");
    const times = [];
    const box = document.createElement("p");
    box.append(withTimes("at 1:02, 3.5s and 1:00:01 but not 12:345", (s) => times.push(s)));
    box.querySelectorAll("button").forEach((button) => button.click());
    return [times, box.textContent];
  });
  assert.deepEqual(sought, [[62, 3.5, 3601], "at 1:02, 3.5s and 1:00:01 but not 12:345"]);

  step = "copy";
  await page.getByRole("button", { name: "Copy" }).last().click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), first);

  step = "export";
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Export" }).click()]);
  assert.equal(download.suggestedFilename(), "conversation.json");

  step = "reload keeps conversation and media";
  await page.reload();
  await page.locator(".message.assistant .text").waitFor();
  assert.equal(await page.locator(".message.assistant .text").textContent(), first);
  assert.equal(await page.locator(".message.user .media li").count(), 2);
  assert.equal(await page.locator(".timeline button").count(), 4);

  step = "a second question names the media by their uuid alone";
  const [request] = await Promise.all([
    page.waitForRequest((r) => r.url().endsWith("/v1/chat/completions")),
    (async () => { await page.getByLabel("Question").fill("And then?"); await page.keyboard.press("Enter"); })(),
  ]);
  assert.ok(request.postData().length > 1000);  // after a reload the bytes are sent once more
  await status("Answer complete.");
  const [third] = await Promise.all([
    page.waitForRequest((r) => r.url().endsWith("/v1/chat/completions")),
    (async () => { await page.getByLabel("Question").fill("Really?"); await page.keyboard.press("Enter"); })(),
  ]);
  assert.equal(third.postDataJSON().messages[0].content[0].video_url, null);
  await page.waitForFunction(() => document.querySelectorAll(".message.assistant .tools").length === 3, null, { timeout: 60000 });

  step = "stop";
  // The small model may end an answer at any token; this one goes on, the same way every time.
  await page.route("**/v1/chat/completions", (route) =>
    route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), ignore_eos: true, seed: 7 }) }));
  await page.getByRole("button", { name: "New" }).click();
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Most answer tokens").fill("20000");
  await page.getByLabel("Temperature").fill("1.5");
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByLabel("Question").fill("Go on for ever");
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector(".message.assistant .text")?.textContent.length > 20, null, { timeout: 60000 });
  await shot("streaming");
  await page.keyboard.press("Escape");
  await status("Stopped.");
  await page.unroute("**/v1/chat/completions");

  step = "an error is shown and the question is not lost";
  await page.getByRole("button", { name: "New" }).click();
  await page.evaluate(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["no video"], "broken.mp4", { type: "video/mp4" }));
    document.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
  });
  await page.getByLabel("Question").fill("What is wrong?");
  await page.keyboard.press("Enter");
  await page.locator("#error:not([hidden])").waitFor({ timeout: 60000 });
  assert.equal(await page.getByLabel("Question").inputValue(), "What is wrong?");
  assert.equal(await page.locator("#attachments li").count(), 1);
  await shot("error");
  await page.getByRole("button", { name: "Remove broken.mp4" }).click();

  step = "camera: picture and clip";
  await page.getByRole("button", { name: "Camera", exact: true }).click();
  await page.getByRole("button", { name: "Take a picture" }).click();
  await page.locator("#attachments img").waitFor();
  await page.getByRole("button", { name: "Camera", exact: true }).click();
  await page.getByRole("button", { name: "Record a clip" }).click();
  await page.waitForTimeout(1500);
  await page.getByRole("button", { name: "Stop recording" }).click();
  await page.locator("#attachments video").waitFor();
  await page.getByRole("button", { name: "Settings" }).click();
  await page.getByLabel("Most answer tokens").fill("8");
  await page.getByLabel("Theme").selectOption("dark");
  await page.getByRole("button", { name: "Done" }).click();
  await page.getByLabel("Question").fill("What does the camera see?");
  await page.getByRole("button", { name: "Send" }).click();
  await status("Answer complete.");
  await shot("dark");

  step = "phone width without a sideways scroll";
  await page.setViewportSize({ width: 360, height: 740 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await shot("phone");

  step = "no complaint, no request to anywhere else";
  assert.deepEqual(complaints, []);
  assert.deepEqual(outside, []);
  console.log("the page works");
} catch (error) {
  console.error(`while checking: ${step}`);
  await shot("failure");
  console.error(error, complaints);
  process.exitCode = 1;
} finally {
  await browser.close();
  server.removeAllListeners("exit");
  server.kill("SIGTERM");
}
