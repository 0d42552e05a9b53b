// The page's words, Korean and English.
export const LANGS = ["ko", "en"];

const TEXTS = {
  title: ["가상 운전석", "Virtual cab"],
  hint: [
    "버튼을 누르고 있는 동안 말합니다(마우스, 손가락, 키 1–3, 스페이스). 긴급은 1초 동안, 다시 듣기는 짧게(지난 통화) 또는 1초(몇 명이 들었는지).",
    "You talk while you hold the button (mouse, finger, keys 1–3, space). Emergency: for a second. Replay: briefly (last talk), or for a second (who heard).",
  ],
  intro: [
    "실제 게이트웨이 프로그램이 실제 서버와 함께 돌고 있습니다. 가상인 것은 핀과 사운드 카드뿐입니다. 빛, 진동, 부저, 스피커 소리는 프로그램이 핀과 카드로 내보내는 그대로입니다.",
    "Real gateways run here with a real office; only pins and sound cards are virtual. Light, vibration, buzzer and speaker are what the gateways do at their pins and cards, as they do it.",
  ],
  microphone: [
    "이 페이지의 마이크는 쓰지 않습니다. 버튼을 누르는 동안, 차량마다 고른 문장을 음성 합성기가 그 차량의 마이크에 말합니다.",
    "Your own microphone is not used. While you hold the button, a speech synthesiser says the sentence you chose into that vehicle's microphone.",
  ],
  begin: ["시작", "Begin"],
  ptt: ["말하기", "TALK"],
  motor: ["진동", "vibration"],
  buzzer: ["부저", "buzzer"],
  mute: ["라디오 음소거", "radio muted"],
  emergency: ["긴급", "Emergency"],
  replay: ["다시 듣기", "Replay"],
  ignition: ["시동", "Ignition"],
  phone: ["전화", "Phone"],
  navigation: ["내비", "Navi"],
  listen: ["스피커", "Speaker"],
  says: ["할 말", "Says"],
  connected: ["연결됨", "connected"],
  lost: ["끊겼습니다. 모든 버튼을 놓았습니다. 다시 연결하는 중…", "Connection lost: every button was let go. Trying again…"],
  unit_up: ["온라인", "online"],
  unit_no_link: ["연결 끊김", "no link"],
  unit_asleep: ["대기 모드", "asleep"],
  unit_gone: ["꺼짐", "not running"],
  nobody: ["말하는 사람 없음", "nobody speaks"],
  speaks: ["{name} 통화 중", "{name} speaks"],
  own: ["내가 말하는 중", "this vehicle speaks"],
  newest: ["누름 {number}: {answer}", "press {number}: {answer}"],
  other_lang: ["English", "한국어"],
};

export function text(lang, key, values = {}) {
  const found = TEXTS[key][LANGS.indexOf(lang)];
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}
