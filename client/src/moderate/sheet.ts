import dialogs from '../styles/dialogs.css?inline';
import moderate from '../styles/moderate.css?inline';
import panels from '../styles/panels.css?inline';
import prefs from '../styles/prefs.css?inline';
import { sheetOf } from '../styles/styles.ts';

/** The style sheet of the moderators' page, in addition to the sheet of the chat. */
export const sheet = sheetOf([panels, dialogs, prefs, moderate].join('\n'));
