/**
 * The 100 senders of the benchmark `durable`, each with one message in flight.
 * Run: node bench/peers/senders.ts history|transactions PLACE, with PLACE as in CHAT_HISTORY
 */
import { randomUUID } from 'node:crypto';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DatabaseSync } from 'node:sqlite';
import { Pool } from 'pg';
import { type HistoryPlace, openHistory, readHistoryPlace } from '../../server/history/open.ts';

const senders = 100;
const warmUp = 1000;
const lasting = 4000;

const [, , way, url = ''] = process.argv;
const place = readHistoryPlace(url) as HistoryPlace;
const text = 'What a message usually says, in a sentence or two. '.repeat(2);
const user = (sender: number) => ({ id: `u${sender}`, name: `User ${sender}` });

/** Resolves when the message is on disk. */
type Send = (sender: number) => Promise<void>;

async function ofHistory(): Promise<Send> {
  const history = await openHistory(place, {
    onFailure: (error) => {
      throw error;
    },
  });
  await history.write.publicRooms({ rooms: [{ id: 'hall', name: 'hall' }], at: Date.now() });
  return async (sender) => {
    const message = { room: 'hall', clientId: randomUUID(), user: user(sender), text, sentAt: Date.now() };
    await history.write.send({ ...message, asMember: false });
  };
}

/** Returns a minimal function that numbers and stores a message. */
function ofSqlite(path: string): Send {
  const db = new DatabaseSync(path);
  db.exec('PRAGMA journal_mode = WAL');
  db.exec('PRAGMA synchronous = FULL');
  db.exec('CREATE TABLE heads (room TEXT PRIMARY KEY, head INTEGER)');
  db.exec('CREATE TABLE messages (room TEXT, seq INTEGER, id TEXT, user TEXT, text TEXT, at INTEGER)');
  db.exec("INSERT INTO heads VALUES ('hall', 0)");
  const next = db.prepare("UPDATE heads SET head = head + 1 WHERE room = 'hall' RETURNING head");
  const insert = db.prepare("INSERT INTO messages VALUES ('hall', ?, ?, ?, ?, ?)");
  return async (sender) => {
    db.exec('BEGIN IMMEDIATE');
    const { head } = next.get() as { head: number };
    insert.run(head, randomUUID(), user(sender).id, text, Date.now());
    db.exec('COMMIT');
    // Lets the next sender run.
    await new Promise((resolve) => setImmediate(resolve));
  };
}

/** Does the same with a pool of ten connections, which is pg's default. */
async function ofPostgres(): Promise<Send> {
  const pool = new Pool({ connectionString: url });
  await pool.query('CREATE TABLE heads (room TEXT PRIMARY KEY, head INTEGER)');
  await pool.query(
    'CREATE TABLE messages (room TEXT, seq INTEGER, id TEXT, "user" TEXT, text TEXT, at BIGINT)',
  );
  await pool.query("INSERT INTO heads VALUES ('hall', 0)");
  return async (sender) => {
    const client = await pool.connect();
    await client.query('BEGIN');
    const { rows } = await client.query<{ head: number }>(
      "UPDATE heads SET head = head + 1 WHERE room = 'hall' RETURNING head",
    );
    const values = [rows[0]?.head, randomUUID(), user(sender).id, text, Date.now()];
    await client.query("INSERT INTO messages VALUES ('hall', $1, $2, $3, $4, $5)", values);
    await client.query('COMMIT');
    client.release();
  };
}

const ofTransactions = () => (place.kind === 'sqlite' ? ofSqlite(place.path) : ofPostgres());
const send = await (way === 'history' ? ofHistory() : ofTransactions());
const delay = monitorEventLoopDelay({ resolution: 1 });
let stored = 0;
let counting = false;
let over = false;
const all = Array.from({ length: senders }, async (_, sender) => {
  while (!over) {
    await send(sender);
    if (counting) stored++;
  }
});
await new Promise((resolve) => setTimeout(resolve, warmUp));
counting = true;
delay.enable();
const began = performance.now();
await new Promise((resolve) => setTimeout(resolve, lasting));
const seconds = (performance.now() - began) / 1000;
over = true;
delay.disable();
await Promise.all(all);
// Subtracts the interval between two measurements, which the histogram includes.
console.log(JSON.stringify({ rate: stored / seconds, delay: delay.percentile(99) / 1e6 - 1 }));
process.exit(0);
