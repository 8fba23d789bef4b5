import http from 'k6/http';

export const options = {
  scenarios: {
    checkout: {
      executor: 'constant-arrival-rate',
      rate: 20,
      timeUnit: '1s',
      duration: '5s',
      preAllocatedVUs: 30,
      maxVUs: 30,
    },
  },
};

export default function () {
  http.post(`${__ENV.SHOP_URL}/checkout`, 'three of them', { tags: { name: 'checkout' } });
}
