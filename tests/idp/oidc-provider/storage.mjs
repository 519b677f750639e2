// What the provider remembers, in maps that forget nothing before its time: the one it ships with drops the oldest.

const GRANTED = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken', 'DeviceCode']);

export class Storage {
  static #records = new Map();

  constructor(model) {
    this.model = model;
  }

  async upsert(id, payload, expiresIn) {
    const expiresAt = expiresIn === undefined ? Infinity : Date.now() + expiresIn * 1000;
    Storage.#records.set(this.#key(id), { model: this.model, payload, expiresAt });
  }

  async find(id) {
    const record = Storage.#records.get(this.#key(id));
    return record && Date.now() < record.expiresAt ? record.payload : undefined;
  }

  async findByUid(uid) {
    return this.#findWhere((payload) => payload.uid === uid);
  }

  async findByUserCode(userCode) {
    return this.#findWhere((payload) => payload.userCode === userCode);
  }

  async consume(id) {
    Storage.#records.get(this.#key(id)).payload.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    Storage.#records.delete(this.#key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, { model, payload }] of Storage.#records) {
      if (GRANTED.has(model) && payload.grantId === grantId) Storage.#records.delete(key);
    }
  }

  #key(id) {
    return `${this.model}:${id}`;
  }

  #findWhere(matches) {
    for (const { model, payload, expiresAt } of Storage.#records.values()) {
      if (model === this.model && Date.now() < expiresAt && matches(payload)) return payload;
    }
    return undefined;
  }
}
