// SPDX-License-Identifier: Apache-2.0
// The operator's page of a running agent, in a real browser: what stands there, what its buttons do, and that a page
// without its box says so.
//
// usage: node operator_page.mjs BIN_FOLDER SCREENSHOT.png
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright-core';

const [bin, screenshot] = process.argv.slice(2).map((path) => resolve(path));
const folder = mkdtempSync(join(tmpdir(), 'millwright-page-'));
const WAIT_MS = 60_000;

const freePort = () => new Promise((done) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address();
    probe.close(() => done(port));
  });
});

function config(name, port, source, more, box = '') {
  const file = join(folder, `${name}.toml`);
  writeFileSync(file, `[agent]
device_id = "box-1"
factory_id = "plant"
line_id = "line"
state = "${join(folder, name)}"
[http]
port = ${port}
${box}[[asset]]
id = "press-7"
${more}
deadline_ms = 2000
window = { channels = 1, length = 2000, rate_hz = 10000.0 }
trigger = { kind = "external" }
source = { kind = "simulated-press", ${source} }
output = { kind = "none", on_no_verdict = "hold", on_start = "stop", on_death = "stop" }
`);
  return file;
}

function run(program, ...args) {
  const done = spawnSync(join(bin, program), args, { encoding: 'utf8', timeout: 300_000 });
  assert.equal(done.status, 0, done.stderr);
}

function makeBundle() {
  const windows = join(folder, 'windows');
  run('millwright-agent', '--fast', '--config', config('collect', 0, 'strokes = 120', `collect = { folder = "${windows}", windows = 120 }`));
  const bundle = join(folder, 'press.bundle');
  run('millwright', 'train', '--recordings', windows, '--rate', '10000', '--out', bundle);
  return bundle;
}

const port = await freePort();
const agent = spawn(join(bin, 'millwright-agent'),
  ['--config', config('run', port, 'strokes_per_minute = 200.0, wear_from_stroke = 20, failure_stroke = 70', `bundle = "${makeBundle()}"`,
    `[mqtt]\nhost = "127.0.0.1"\nport = ${await freePort()}\ntls = false\n`)],
  { stdio: ['ignore', 'ignore', openSync(join(folder, 'agent.log'), 'w')] });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
try {
  const page = await browser.newPage({ viewport: { width: 1600, height: 1000 } });
  const complaints = [];
  page.on('console', (message) => { if (message.type() === 'error') complaints.push(message.text()); });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => { if (!request.url().startsWith(`http://127.0.0.1:${port}/`) && !request.url().startsWith('data:')) complaints.push(`asks ${request.url()}`); });
  page.setDefaultTimeout(WAIT_MS);

  const until = (id, text) => page.locator(`#${id}`).filter({ hasText: text }).waitFor();
  for (let end = Date.now() + WAIT_MS; ;) {
    const there = await page.goto(`http://127.0.0.1:${port}/`, { waitUntil: 'commit' }).catch(() => null);
    if (there?.ok()) break;
    assert.ok(Date.now() < end, `the page never came; the agent's log:\n${readFileSync(join(folder, 'agent.log'), 'utf8')}`);
    await new Promise((done) => setTimeout(done, 200));
  }
  complaints.length = 0; // of the tries before it listened

  // A good stroke, big enough for two metres: 8 % of the height of the screen.
  await until('word', /^GO$/);
  await until('link', /^live$/);
  assert.ok((await page.locator('#word').boundingBox()).height >= 80);
  assert.match(await page.locator('#stroke').textContent(), /^\d+ \(PLC \d+\)$/);
  // Nobody listens at the broker's port: the box says so, and for how long that will do.
  await until('buffer', /^no broker, \d+ waiting, room for \d+ (days|hours)$/);
  const painted = (id) => page.evaluate((canvas) => {
    const { width, height } = document.getElementById(canvas);
    return document.getElementById(canvas).getContext('2d').getImageData(0, 0, width, height).data.some((v) => v !== 0);
  }, id);
  for (const id of ['scores', 'waveform', 'spectrum']) assert.ok(await painted(id), `${id} is empty`);
  const box = await page.locator('main').boundingBox();
  assert.ok(box.y + box.height <= 1000, 'all of it on one screen');

  // The die wears: the alarm calls, and is acknowledged; the call gets a label.
  await page.locator('#acknowledge:enabled').waitFor();
  await until('word', /^NO GO$/);
  await page.screenshot({ path: screenshot });
  await page.click('#acknowledge');
  await until('alarm', /^acknowledged$/);
  await page.click('[data-label=nuisance]');
  await until('answer', /^kept/);
  const labels = readFileSync(join(folder, 'run', 'press-7', 'labels.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(labels.length, 1);
  assert.equal(labels[0].label, 'nuisance');
  await page.click('#shelve');
  await until('alarm', /^shelved$/);
  assert.deepEqual(complaints, []);

  // The box dies: no page may go on saying what it said.
  agent.kill('SIGKILL');
  await until('link', /^NO CONNECTION TO THE BOX$/);
  await until('word', /^\?$/);
  console.log('operator page: good');
} finally {
  agent.kill('SIGKILL');
  await browser.close();
  rmSync(folder, { recursive: true, force: true });
}
