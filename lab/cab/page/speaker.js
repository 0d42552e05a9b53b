// A vehicle's sound card: plays what arrives, a little later, so that late pieces leave no gaps.
const START_S = 0.06;
const KEEP_S_MAX = 0.4;

class Speaker extends AudioWorkletProcessor {
  constructor() {
    super();
    this.pieces = [];
    this.waiting = 0;
    this.at = 0;
    this.playing = false;
    this.port.onmessage = (event) => this.take(event.data);
  }

  take(piece) {
    this.pieces.push(piece);
    this.waiting += piece.length;
    while (this.waiting - this.at > KEEP_S_MAX * sampleRate && this.pieces.length > 1) {
      this.drop();
    }
  }

  drop() {
    this.waiting -= this.pieces.shift().length;
    this.at = 0;
  }

  process(_inputs, [[out]]) {
    if (!this.playing && this.waiting - this.at >= START_S * sampleRate) this.playing = true;
    let done = 0;
    while (this.playing && done < out.length) {
      if (!this.pieces.length) {
        this.playing = false;
        break;
      }
      const piece = this.pieces[0];
      const count = Math.min(out.length - done, piece.length - this.at);
      for (let i = 0; i < count; i++) out[done + i] = piece[this.at + i] / 32768;
      done += count;
      this.at += count;
      if (this.at === piece.length) this.drop();
    }
    return true;
  }
}

registerProcessor("speaker", Speaker);
