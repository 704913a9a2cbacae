import type { FormatName } from '../../../server/session/formats/formats.ts';
import { sessionStoreContract } from '../../contracts/session-store.ts';
import { startGate } from '../../helpers/gate.ts';
import { phpRequest } from '../../helpers/php-request.ts';
import { startRedis } from '../../helpers/redis.ts';

sessionStoreContract(
  'phpredis’s own handler',
  ['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'],
  async () => {
    const redis = await startRedis();
    const gate = await startGate(redis.port);
    return {
      ...gate,
      url: (format) => `redis://127.0.0.1:${gate.port}?format=${format}`,
      request: (format, code, id) =>
        phpRequest(
          {
            'session.save_handler': 'redis',
            'session.save_path': `tcp://127.0.0.1:${redis.port}`,
            'session.serialize_handler': format,
          },
          code,
          id,
        ),
      traces: (id) => redis.traces(`PHPREDIS_SESSION:${id}`, `PHPREDIS_SESSION:${id}_LOCK`),
      live: (id, seconds) => redis.ask('EXPIRE', `PHPREDIS_SESSION:${id}`, String(seconds)),
      liveForEver: (id) => redis.ask('PERSIST', `PHPREDIS_SESSION:${id}`),
      async close() {
        await gate.close();
        await redis.remove();
      },
    };
  },
);

sessionStoreContract(
  'a handler of one’s own, through a Redis object',
  ['json', 'php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'],
  async () => {
    const redis = await startRedis();
    const gate = await startGate(redis.port);
    // PHP hands it what its own serializer makes, and takes that; for JSON it is written anew.
    const handler = (format: FormatName) => `
      $redis = new Redis();
      $redis->connect('127.0.0.1', ${redis.port});
      $json = ${format === 'json'};
      session_set_save_handler(
        fn () => true,
        fn () => true,
        fn (string $id) => $json
          ? serialize(json_decode($redis->get("siam_$id") ?: '{}', true))
          : (string) $redis->get("siam_$id"),
        fn (string $id, string $data) => $redis->setEx(
          "siam_$id", 1440, $json ? json_encode((object) unserialize($data)) : $data
        ),
        fn (string $id) => $redis->del("siam_$id") >= 0,
        fn () => 0,
      );`;
    return {
      ...gate,
      url: (format) => `redis://127.0.0.1:${gate.port}?prefix=siam_&format=${format}`,
      request: (format, code, id) =>
        phpRequest(
          { 'session.serialize_handler': format === 'json' ? 'php_serialize' : format },
          code,
          id,
          handler(format),
        ),
      traces: (id) => redis.traces(`siam_${id}`),
      live: (id, seconds) => redis.ask('EXPIRE', `siam_${id}`, String(seconds)),
      liveForEver: (id) => redis.ask('PERSIST', `siam_${id}`),
      async close() {
        await gate.close();
        await redis.remove();
      },
    };
  },
);
