// SPDX-License-Identifier: Apache-2.0
// The operator's page: what the box says of each machine, as it happens. Names and numbers come from outside and are set
// as text, never as markup.
'use strict';

const STALE_MS = 15_000; // the box speaks at least every five seconds
const byId = (id) => document.getElementById(id);
const machines = new Map(); // asset id -> what was last said of it
let chosen = '';
let uplink = null; // what was last said of the link to the fleet; null: this box has none

// A verdict that is older than this, and than five strokes, says nothing of the machine as it is now.
const OLD_S = 30;

const ageOf = (m) => m.stroke_age_s + (Date.now() - m.heard) / 1000;
const isOld = (m) => m.stroke_age_s !== null && ageOf(m) > Math.max(OLD_S, 5 * (m.interval ?? 0));
const isLost = (m) => events.readyState !== EventSource.OPEN || Date.now() - m.heard > STALE_MS;

const KIND = { GO: 'go', NO_GO: 'stop' };
const kindOf = (m) => (isLost(m) || isOld(m) ? 'none' : m.record?.alarm_active ? 'stop' : KIND[m.record?.verdict] ?? 'none');
const WORD = { GO: 'GO', NO_GO: 'NO GO', NO_VERDICT: 'NO VERDICT' };

function setText(id, text, bad = false) {
  byId(id).textContent = text;
  byId(id).classList.toggle('bad', bad);
}

function duration(seconds) {
  if (seconds >= 2 * 86_400) return `${Math.floor(seconds / 86_400)} days`;
  if (seconds >= 2 * 3_600) return `${Math.floor(seconds / 3_600)} hours`;
  return `${Math.floor(seconds / 60)} min`;
}

// What is not yet with the fleet, and for how long the box can keep it.
function buffer(m) {
  const toWrite = m.records_pending > 100 ? `${m.records_pending} not on disk` : '';
  if (!uplink) return [toWrite || 'written', Boolean(toWrite)];
  const { open, waiting, alerts_waiting: alerts, alerts_overdue: overdue, headroom_s: room, error } = uplink.outbox;
  if (!open) return [`closed: ${error}`, true];
  const away = uplink.connected ? '' : 'no broker';
  const kept = `${waiting} waiting, room for ${duration(room)}`;
  const unconfirmed = overdue ? `${alerts} ${alerts === 1 ? 'alert' : 'alerts'} not confirmed by the hub` : '';
  return [[toWrite, away, unconfirmed, kept].filter(Boolean).join(', '), Boolean(toWrite || away || unconfirmed)];
}

const words = (name) => name.replaceAll('_', ' ');

function reason(r) {
  if (r.verdict === 'NO_VERDICT') return r.sensor_fault ? `sensor: ${words(r.sensor_fault)}` : words(r.reason);
  if (r.verdict === 'NO_GO') return r.top_sensors.map((t) => t.feature).slice(0, 2).join(', ') || r.severity;
  return r.alarm_active ? 'but the alarm stands' : 'as in normal running';
}

function showRecord(r) {
  byId('word').textContent = WORD[r.verdict] ?? '-';
  byId('why').textContent = reason(r);
  setText('stroke', `${r.stroke_id}${r.plc_cycle ? ` (PLC ${r.plc_cycle})` : ''}`);
  setText('score', r.anomaly_score === null ? '-' : `${r.anomaly_score.toFixed(2)}  ${r.severity}`, r.is_alert);
  setText('sensor', r.sensor_fault ? `${words(r.sensor_fault)} - ${words(r.ne107)}` : 'good', Boolean(r.sensor_fault));
  setText('wear', r.trend ? `rising, ${r.strokes_left} strokes left` : 'steady', Boolean(r.trend));
  byId('model').textContent = /^0*$/.test(r.model) ? 'no model' : `model ${r.model.slice(0, 12)} on ${r.provider}`;
}

function show() {
  const m = machines.get(chosen);
  if (!m) return;
  byId('verdict').className = kindOf(m);
  if (m.record) showRecord(m.record);
  if (isOld(m)) byId('why').textContent = `no stroke for ${duration(ageOf(m))}`;
  if (isLost(m)) {
    byId('word').textContent = '?';
    byId('why').textContent = 'this page is not up to date';
  }
  setText('alarm', words(m.alarm_state), !['normal', 'shelved'].includes(m.alarm_state));
  setText('buffer', ...buffer(m));
  byId('acknowledge').disabled = !m.can_acknowledge;
  byId('acknowledge').classList.toggle('calls', m.can_acknowledge);
  for (const button of document.querySelectorAll('[data-label]')) button.disabled = !m.last_alert_id;
  byId('labelled').textContent = m.last_alert_id ? `Stroke ${m.last_alert_id} was a call that is:` : 'No call to judge yet.';
  drawScores(m);
  drawLine('waveform', m.waveform, m.window_ms ? `0 to ${m.window_ms} ms` : '');
  drawLine('spectrum', m.spectrum, m.nyquist_hz ? `0 to ${m.nyquist_hz} Hz, dB` : '');
}

const tabs = new Map(); // asset id -> its button; kept, so that no press of one is lost

function showMachines() {
  for (const m of machines.values()) {
    let tab = tabs.get(m.asset_id);
    if (!tab) {
      tab = document.createElement('button');
      tab.textContent = m.asset_id;
      tab.onclick = () => { chosen = m.asset_id; showMachines(); show(); };
      tabs.set(m.asset_id, tab);
      byId('assets').append(tab);
    }
    tab.className = kindOf(m);
    tab.setAttribute('aria-current', String(m.asset_id === chosen));
  }
}

function prepare(id) {
  const canvas = byId(id);
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = width * scale;
  canvas.height = height * scale;
  const context = canvas.getContext('2d');
  context.scale(scale, scale);
  context.font = '13px system-ui';
  return [context, width, height];
}

// Scores as dots by verdict; the threshold lies at 0.5.
function drawScores(m) {
  const [c, width, height] = prepare('scores');
  const y = (score) => height - 4 - score * (height - 8);
  c.strokeStyle = '#d6322b';
  c.setLineDash([6, 6]);
  c.beginPath(); c.moveTo(0, y(0.5)); c.lineTo(width, y(0.5)); c.stroke();
  c.setLineDash([]);
  c.fillStyle = '#9aa7b3';
  c.fillText('threshold', 4, y(0.5) - 5);
  const step = width / Math.max(m.scores.length, 60);
  m.scores.forEach((s, i) => {
    const at = width - (m.scores.length - i - 0.5) * step;
    c.fillStyle = s === null ? '#b7791f' : s >= 0.5 ? '#ff6b63' : '#5aa9e6';
    if (s === null) c.fillRect(at - 1, height - 8, 3, 8);
    else { c.beginPath(); c.arc(at, y(s), Math.min(4, step / 2 + 1), 0, 7); c.fill(); }
  });
}

function drawLine(id, values, axis) {
  const [c, width, height] = prepare(id);
  if (!values || values.length < 2) return;
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = high - low || 1;
  c.strokeStyle = '#5aa9e6';
  c.lineWidth = 1.2;
  c.beginPath();
  values.forEach((v, i) => {
    const [x, y] = [(i / (values.length - 1)) * width, height - 16 - ((v - low) / span) * (height - 20)];
    if (i === 0) c.moveTo(x, y); else c.lineTo(x, y);
  });
  c.stroke();
  c.fillStyle = '#9aa7b3';
  c.fillText(axis, 4, height - 2);
}

async function tell(path, body) {
  byId('answer').textContent = '...';
  try {
    const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    byId('answer').textContent = (await answer.text()).trim();
  } catch {
    byId('answer').textContent = 'the box does not answer';
  }
}

byId('acknowledge').onclick = () => tell('/api/acknowledge', { asset_id: chosen });
byId('shelve').onclick = () => tell('/api/shelve', { asset_id: chosen, minutes: 30 });
for (const button of document.querySelectorAll('[data-label]')) {
  button.onclick = () => tell('/api/label', { asset_id: chosen, stroke_id: machines.get(chosen).last_alert_id, label: button.dataset.label });
}

const events = new EventSource('/events');
events.addEventListener('asset', (event) => {
  const m = JSON.parse(event.data);
  const before = machines.get(m.asset_id);
  m.heard = Date.now();
  m.interval = before?.interval;
  const strokes = m.record && before?.record ? m.record.stroke_id - before.record.stroke_id : 0;
  if (strokes > 0) m.interval = (m.record.trigger_monotonic_ns - before.record.trigger_monotonic_ns) / strokes / 1e9;
  machines.set(m.asset_id, m);
  if (!chosen) chosen = m.asset_id;
  showMachines();
  if (m.asset_id === chosen) show();
});
events.addEventListener('uplink', (event) => {
  uplink = JSON.parse(event.data);
  show();
});
// A page that stands still must not look like a machine that runs well.
setInterval(() => {
  const m = machines.get(chosen);
  const lost = m ? isLost(m) : events.readyState !== EventSource.OPEN;
  byId('link').textContent = lost ? 'NO CONNECTION TO THE BOX' : 'live';
  byId('link').classList.toggle('lost', lost);
  showMachines();
  show();
}, 1_000);
window.addEventListener('resize', show);
