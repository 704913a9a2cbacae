import { bitsOf, type Consume, consumerColumns, type LoadedConsumer, loadConsumer } from './change-log.ts';
import { sql } from './dialect.ts';
import { type Need, needOf, type ValueLoader, type Work } from './work.ts';

// Consumers of the change log. Their operations run in their own transactions.

/** An unused consumer is deleted after this time. */
const unusedTtlMs = 24 * 60 * 60 * 1000;

/** Locks the consumer and loads its next entries. */
const loader: ValueLoader<Consume, LoadedConsumer> = {
  name: 'consumer',
  keyOf: ({ name }) => name,
  *find({ dialect, transaction }, work, needs) {
    for (const input of needs) {
      yield* transaction.flush();
      work.keep(loader, input, yield* loadConsumer(dialect, input));
    }
    return [];
  },
};
export const consumerNeed = (input: Consume): Need => needOf(loader, input);

/** Returns a consumer, which is created on first use, and its next entries. */
export const getConsumer = (work: Work, input: Consume): LoadedConsumer => work.value(loader, input);

export function setConsumer(
  work: Work,
  {
    name,
    types,
    position,
    holder,
    leaseUntil,
  }: Pick<Consume, 'name' | 'types'> & Pick<LoadedConsumer, 'position' | 'holder' | 'leaseUntil'>,
): void {
  const row = [name, bitsOf(types), position, holder, leaseUntil];
  work.later((dialect) => dialect.upsert('chat_consumers', ['id'], consumerColumns, [row]));
}

export function deleteOtherConsumers(work: Work, names: readonly string[]): void {
  work.later((dialect) => {
    const isNamed = dialect.among(
      ['id'],
      names.map((name) => [name]),
    );
    return sql`DELETE FROM chat_consumers WHERE held_until < ${dialect.now} - ${unusedTtlMs} AND NOT (${isNamed})`;
  });
}
