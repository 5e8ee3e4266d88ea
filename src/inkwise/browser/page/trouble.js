// The reason why there is no answer. Its kind is "gone", "busy", "token", "refused" or
// "broken", which waiting does not mend.
export class Trouble extends Error {
  constructor(kind, told, seconds = 1) {
    super(told);
    this.kind = kind;
    this.seconds = seconds; // time to wait if the service is busy
  }
}
