/** MPEG-2 layer III, 16 kHz, 8 kbit/s, mono: 36 bytes hold 36 ms, and a frame of zeros after its header is silence. */
const FRAME_BYTES = 36;
const FRAME_MS = 36;
const FRAME_HEADER = Buffer.from([0xff, 0xf3, 0x18, 0xc0]);

/** A valid MP3 of that many seconds in which nothing is heard; 1,000 bytes a second. */
export const silentMp3 = (seconds: number): Buffer => {
  const frames = Math.max(1, Math.ceil((seconds * 1_000) / FRAME_MS));
  const audio = Buffer.alloc(frames * FRAME_BYTES);
  for (let frame = 0; frame < frames; frame++) FRAME_HEADER.copy(audio, frame * FRAME_BYTES);
  return audio;
};
