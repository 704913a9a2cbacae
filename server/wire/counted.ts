/** Users, questions to a team, and the messages, reports, files and reactions of a user, are counted only up to this number. */
export const mostCounted = 10_000;

/** Maximum rooms of a user, and reports about a user, in the details of a user. */
export const mostRooms = 200;
export const mostReports = 50;
