/** Rooms of a mail, and messages of each: what is left out is counted. */
export const roomsOfMail = 3;
export const messagesOfMail = 5;
/** Mails that are handed over at the same time. */
export const mailsAtOnce = 3;
