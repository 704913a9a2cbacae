/**
 * The time from PHP's response to a logout until the browser's chat is notified, for each store and handler. 50 users
 * with 3 connections each log out sequentially.
 * Run: npm run bench logout
 */
import { startChatServer } from '../test/helpers/chat-server.ts';
import { logOutAll, manyVisitors, median } from '../test/helpers/logouts.ts';
import { startPhpApp } from '../test/helpers/php-app.ts';
import { sessionPlaces } from '../test/helpers/session-places.ts';

const [users, tabs] = [50, 3];

console.log('| sessions in | median | longest |\n| --- | --- | --- |');
for (const { name, open, tells } of sessionPlaces) {
  const place = await open();
  const php = await startPhpApp({ env: { SESSION_STORE: place.url } });
  const chat = await startChatServer({ CHAT_SESSION_STORE: place.url });
  if (tells) await chat.until(/store notifications active/);
  const ended = await logOutAll(php, await manyVisitors(php, chat, users, tabs));
  const took = ended.map((one) => one.took);
  console.log(`| ${name} | ${median(took).toFixed(0)} ms | ${Math.max(...took).toFixed(0)} ms |`);
  await Promise.all([chat.stop(), php.stop()]);
  await place.close();
}
process.exit();
