import style from '../styles/compact.css?inline';
import { sheetOf } from '../styles/styles.ts';

/** The style sheet of compact messages. */
export const sheet = sheetOf(style);
