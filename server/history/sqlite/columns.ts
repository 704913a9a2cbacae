import { messageColumns, stringAgg } from '../rows.ts';

/** What is read of a message. */
export const columns = messageColumns('', stringAgg);
